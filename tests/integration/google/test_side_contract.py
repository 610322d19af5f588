"""Google's contacts keep the contract of every side, over the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from crmsync.connectors.google.contacts import GoogleContacts
from tests.contract.side_contract import SideContract
from tests.integration.google.conftest import Account

LABEL = "Infor CRM"


class GoogleBench:
    unknown_id = "people/c999999999"

    def __init__(self, account: Account) -> None:
        self.account = account

    @property
    def side(self) -> GoogleContacts:
        return self.account.side

    def _wire(self, values: Mapping[str, str]) -> dict[str, Any]:
        return {
            "names": [{"givenName": values["first"], "familyName": values["last"]}],
            "emailAddresses": [{"value": values["email"]}],
            "organizations": [{"title": values["title"]}],
        }

    def put(self, values: Mapping[str, str], *, selected: bool = True) -> str:
        labels = {"labels": [LABEL]} if selected else {}
        return self.account.by_hand(**self._wire(values), **labels)

    def edit(self, remote_id: str, values: Mapping[str, str]) -> None:
        now = self.side.fetch([remote_id])[remote_id]
        wire = self._wire({**self.side.project(now, None), **values})
        self.account.box.edit_person(self.account.email, remote_id, wire)

    def mark(self, remote_id: str, *, selected: bool) -> None:
        what = "label" if selected else "unlabel"
        self.account.box.act(self.account.email, remote_id, what, name=LABEL)

    def remove(self, remote_id: str) -> None:
        self.account.box.delete_person(self.account.email, remote_id)

    def settle(self) -> None:
        self.account.box.settle(self.account.email)


class TestGoogleContacts(SideContract):
    @pytest.fixture
    def bench(self, anna: Account) -> GoogleBench:
        return GoogleBench(anna)
