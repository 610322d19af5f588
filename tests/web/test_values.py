"""Fields of activities and to-dos, as people read them."""

from __future__ import annotations

import pytest

from webapp.values import write_length, write_rule


@pytest.mark.rule("HIS-2")
@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        ("0", "no time"),
        ("1", "1 minute"),
        ("60", "1 hour"),
        ("90", "1 hour 30 minutes"),
        ("2880", "2 days"),
        ("1501", "1 day 1 hour 1 minute"),
    ],
)
def test_a_length_is_said_in_words(minutes: str, words: str) -> None:
    assert write_length(minutes) == words


@pytest.mark.rule("HIS-2", "CAL-17")
@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("RRULE:FREQ=DAILY", "every day"),
        ("RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE,FR",
         "every 2 weeks on Monday, Wednesday and Friday"),
        ("RRULE:FREQ=MONTHLY;BYDAY=-1FR", "every month on the last Friday"),
        ("RRULE:FREQ=MONTHLY;BYMONTHDAY=15;COUNT=3", "every month on day 15, 3 times"),
        ("EXDATE:20260305T090000\nRRULE:FREQ=YEARLY", "every year, without 1 day"),
        ("RDATE:20260305,20260306\nRRULE:FREQ=DAILY;COUNT=2",
         "every day, 2 times, with 2 days more"),
        ("RRULE:FREQ=YEARLY;BYMONTH=3", "every year (BYMONTH=3)"),
    ],
)  # fmt: skip
def test_a_rule_is_said_in_words(rule: str, words: str) -> None:
    assert write_rule(rule) == words
