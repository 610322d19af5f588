"""What operators ask: alive, ready, and what errors look like without a database."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import sqlalchemy as sa

from tests.support.redis_server import RedisServer
from tests.web.site import ANNA, NOWHERE, Site


def test_a_healthy_site_says_so(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="r-") as folder:
        redis = RedisServer(Path(folder) / "redis.sock")
        redis.start()
        site = Site(tmp_path, NOWHERE, redis_url=redis.url)
        visitor = site.visitor()

        alive, ready = visitor.get("/healthz"), visitor.get("/readyz")

        site.close()
        redis.stop()
    assert alive.status_code == 200
    assert alive.json == {"status": "ok", "database": True}
    assert ready.status_code == 200
    assert ready.json == {
        "status": "ok",
        "database": True,
        "migrations": True,
        "redis": True,
    }


def test_a_site_without_its_database_says_so_and_keeps_talking(site: Site) -> None:
    site.add_user()
    visitor = site.visitor(ANNA)
    break_database(site)

    assert visitor.get("/healthz").status_code == 503
    assert visitor.get("/healthz").json == {"status": "failing", "database": False}
    assert visitor.get("/readyz").status_code == 503
    page = visitor.get("/password")
    assert page.status_code == 503
    assert "The database cannot be reached" in page.text
    assert "Traceback" not in page.text
    assert visitor.get("/password", headers={"Accept": "application/json"}).json == {
        "error": {
            "message": "The database cannot be reached, or is busy for too long.",
            "next_step": "Wait a moment, then load the page again.",
        }
    }


def break_database(site: Site) -> None:
    """Take the tables away under the running process."""
    site.app.database.close()
    for path in site.product.folder.glob("product.db*"):
        path.unlink()
    (site.product.folder / "product.db").mkdir()


def test_a_database_of_another_version_is_not_ready(site: Site) -> None:
    with site.app.database.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = 'older'"))

    answer = site.visitor().get("/readyz")

    assert answer.status_code == 503
    assert (answer.json or {}).get("migrations") is False


def test_a_redis_that_is_gone_is_told_and_refuses_nobody(site: Site) -> None:
    site.add_user()

    ready = site.visitor().get("/readyz")
    answer = site.visitor().sign_in(ANNA)

    assert ready.status_code == 503
    assert ready.json == {
        "status": "failing",
        "database": True,
        "migrations": True,
        "redis": False,
    }
    assert answer.status_code == 302


def test_limits_hold_in_redis_and_without_it(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="r-") as folder:
        redis = RedisServer(Path(folder) / "redis.sock")
        redis.start()
        site, other = (
            Site(tmp_path / name, NOWHERE, redis_url=redis.url) for name in "ab"
        )
        for _ in range(5):
            assert site.visitor().sign_in(ANNA, "wrong").status_code == 401
            assert other.visitor().sign_in(ANNA, "wrong").status_code == 401
        assert site.visitor().sign_in(ANNA, "wrong").status_code == 429

        redis.stop()
        alone = [site.visitor().sign_in(ANNA, "wrong").status_code for _ in range(12)]

        site.close()
        other.close()
    assert alone[0] == 401
    assert alone[-1] == 429


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_says_no_secret(site: Site, path: str) -> None:
    config = site.app.config
    text = site.visitor().get(path).text

    for secret in (config.secret_key(), config.database_url, *config.token_keys()):
        assert secret not in text


def test_an_unexpected_error_is_a_page_without_a_trace(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    def explode() -> Any:
        raise ZeroDivisionError("inner workings")

    explode.is_public = True  # type: ignore[attr-defined]  # as `public` marks views
    site.web.add_url_rule("/explode", view_func=explode)

    answer = site.visitor().get("/explode")

    assert answer.status_code == 500
    assert "Something went wrong here" in answer.text
    assert "inner workings" not in answer.text
    assert "Unexpected at /explode" in caplog.text


def test_a_form_that_is_too_large_is_refused(site: Site) -> None:
    answer = site.visitor().bare_post("/login", {"email": "x" * (2 << 20)})

    assert answer.status_code == 413
    assert "Too large" in answer.text
