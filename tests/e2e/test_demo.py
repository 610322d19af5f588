"""`crm-sync demo` and what it counts: all kinds, in both directions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cli import demo_figures

CRM_SYNC = str(Path(sys.executable).parent / "crm-sync")


def cycle(kind: str, *, google: int = 0, crm: int = 0, linked: int = 0) -> Any:
    none = {"created": 0, "updated": 0, "deleted": 0, "unlinked": 0}
    counts = {
        "linked": linked,
        "google": none | {"created": google},
        "crm": none | {"created": crm},
    }
    return {"kind": kind, "user": "anna", "counts": counts}


def check_of(*links: tuple[str, int], **found: list[str]) -> dict[str, Any]:
    lists: dict[str, list[str]] = {
        "missing": [],
        "unlinked": [],
        "doubled": [],
        "pending": [],
    } | found
    pairs = [
        {"kind": kind, "user": "a", "links": count, "equal": count, "accepted": 0}
        | lists
        | {"error": None}
        for kind, count in links
    ]
    return {"pairs": pairs}


@pytest.mark.rule("RUN-1")
def test_the_demo_shows_each_kind_in_both_directions_and_all_is_well() -> None:
    done = subprocess.run(
        [CRM_SYNC, "demo", "--json"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["problems"] == []
    for figure in told["figures"]:
        assert figure["to_google"] > 1, figure
        assert figure["to_crm"] > 1, figure
        assert figure["changed"] > 0, figure
        assert figure["links"] == figure["equal"] + figure["accepted"] > 10


@pytest.mark.rule("RUN-1")
@pytest.mark.parametrize(
    ("links", "found", "second", "said"),
    [
        (4, {}, 0, ""),
        (3, {}, 0, "account for 4 links, the check counts 3"),
        (4, {"missing": ["x"]}, 0, "1 records are not in order"),
        (4, {"unlinked": ["x", "y"]}, 0, "2 records are not in order"),
        (4, {}, 1, "a second cycle wrote something"),
    ],
)
def test_the_demo_says_what_does_not_agree(
    links: int, found: dict[str, list[str]], second: int, said: str
) -> None:
    cycles = [cycle("calendar", google=1, crm=2, linked=1)]
    check = check_of(("calendar", links), **found)
    figures = demo_figures.figures(cycles, check)

    again = [cycle("calendar", google=second)]
    told = demo_figures.problems(figures, again, check, shows_both=False)

    assert (said in told[0]) if said else (told == [])


@pytest.mark.rule("RUN-1")
def test_the_demo_says_which_kind_went_one_way_only() -> None:
    cycles = [
        cycle("contacts", google=1, crm=1),
        cycle("calendar", google=1),
        cycle("tasks", google=1, crm=1),
    ]
    check = check_of(("contacts", 2), ("calendar", 1), ("tasks", 2))
    figures = demo_figures.figures(cycles, check)

    told = demo_figures.problems(figures, [], check, shows_both=True)

    assert told == ["Activities: only one direction was shown."]
