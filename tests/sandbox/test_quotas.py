"""Quotas per user (4.9, 2.3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sandbox.client import User, contact, reason, refusal
from tests.sandbox.harness import SandboxServer


@pytest.mark.point("P-21")
def test_writes_pay_for_their_read_back_as_critical_reads(
    anna: User, box: SandboxServer
) -> None:
    box.switch(critical_reads_per_minute=2)
    anna.create(contact("A"))
    anna.create(contact("B"))

    error = refusal(lambda: anna.create(contact("C")))
    body = {"contacts": [{"contactPerson": contact("D")}], "readMask": ""}
    anna.service.people().batchCreateContacts(body=body).execute()
    box.advance(61)

    assert (error["code"], error["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert reason(error) == "RATE_LIMIT_EXCEEDED"
    metadata = error["details"][0]["metadata"]
    assert metadata["quota_limit"] == "CriticalReadsPerMinutePerProjectPerUser"
    assert metadata["quota_metric"] == "people.googleapis.com/critical_read_requests"
    assert len(anna.names()) == 3


@pytest.mark.point("P-21")
def test_the_default_is_ninety_critical_reads_a_minute(anna: User) -> None:
    for _ in range(90):
        anna.page()

    assert refusal(anna.page)["code"] == 429


@pytest.mark.point("P-21")
def test_each_user_has_a_quota_of_their_own(
    new_user: Callable[..., User], box: SandboxServer
) -> None:
    box.switch(reads_per_minute=1, retry_after=30)
    one, two = new_user(), new_user()
    one.page()

    error = refusal(one.page)

    assert error["details"][0]["metadata"]["quota_limit"].startswith("ReadsPerMinute")
    assert two.page()["totalItems"] == 0


@pytest.mark.point("P-21")
def test_group_lists_are_no_critical_reads(anna: User, box: SandboxServer) -> None:
    box.switch(critical_reads_per_minute=1)
    anna.page()

    assert anna.service.contactGroups().list().execute()["contactGroups"]


@pytest.mark.point("P-21")
def test_the_write_budget_of_the_account_takes_hours(
    anna: User, box: SandboxServer
) -> None:
    box.switch(fbs_budget=2)
    anna.create(contact("A"))
    anna.create(contact("B"))

    error = refusal(lambda: anna.create(contact("C")))
    box.advance(3600)
    anna.credentials.token = box.token(anna.email)["access_token"]
    still = refusal(lambda: anna.create(contact("C")))

    assert "FBS quota limit exceeded" in error["message"]
    assert error["details"][0]["@type"].endswith("QuotaFailure")
    assert still["code"] == 429


@pytest.mark.point("P-21")
def test_a_write_over_the_quota_is_not_done_unless_switched(
    anna: User, box: SandboxServer
) -> None:
    box.switch(critical_reads_per_minute=1)
    anna.create(contact("A"))

    refusal(lambda: anna.create(contact("B")))
    before = len(box.people(anna.email))
    box.switch(write_quota_executes=True)
    refusal(lambda: anna.create(contact("C")))

    assert (before, len(box.people(anna.email))) == (1, 2)


@pytest.mark.point("P-21")
def test_quotas_can_be_off(anna: User, box: SandboxServer) -> None:
    box.switch(reads_per_minute=1, quota=False)

    assert [anna.page()["totalItems"] for _ in range(3)] == [0, 0, 0]
