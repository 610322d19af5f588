"""Who synchronises a calendar, as a cycle asks it at its beginning (CAL-9, CAL-10)."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmsync.services import accounts, settings
from crmsync.services.colleagues import Colleagues
from tests.conftest import NewUrl
from tests.support.product import Product
from tests.support.statements import noted

NOWHERE = "http://127.0.0.1:9"


def _company(folder: Path, url: str, size: int) -> Product:
    folder.mkdir()
    product = Product(folder, NOWHERE, variables={"database_url": url})
    for number in range(size):
        user = accounts.add_user(product.app, f"u{number}@shop.example", name="U")
        product.app.crm.ensure_user(user.email, user.name)
        settings.put(
            product.app,
            "direction",
            "to_crm",
            user_id=user.user_id,
            kind="calendar",
            actor="test",
        )
    return product


@pytest.mark.rule("CAL-9")
def test_colleagues_are_read_in_the_same_few_queries_however_many_there_are(
    new_url: NewUrl, tmp_path: Path
) -> None:
    counts = []
    for size in (2, 12):
        product = _company(tmp_path / str(size), new_url(), size)
        with noted(product.app.database.engine) as statements:
            assert Colleagues(product.app).is_colleague(f"u{size - 1}@shop.example")
        product.close()
        counts.append(len(statements))

    assert counts[0] == counts[1]
