"""`crm-sync up`: a whole local installation, started and ended as a person would."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from cli.demo import PASSWORD, USERS
from cli.redis_server import answers
from crmsync.bootstrap import build
from crmsync.config import load_config
from crmsync.services import scheduling
from crmsync.storage import history, people
from tests.support.installation import Installation, wait_for


def are_gone(processes: list[psutil.Process]) -> bool:
    return not any(
        p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes
    )


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    try:
        made.wait_until_up()
        yield made
    finally:
        made.end()


@pytest.mark.timeout(150)
@pytest.mark.rule("RUN-1", "WEB-1", "WEB-2")
def test_up_shows_a_company_that_synchronises_by_itself_and_ends_cleanly(
    installation: Installation,
) -> None:
    said = installation.said()
    assert PASSWORD in said
    assert said.count("succeeded") == 3 * len(USERS)  # contacts, calendar, tasks
    assert installation.page("/login")[0] == 200
    assert installation.page("/readyz")[0] == 200

    config = load_config(
        {
            "instance_path": Path(installation.variables["INSTANCE_PATH"]),
            "google_root_url": f"http://127.0.0.1:{installation.google}",
        }
    )
    app = build(config)
    anna = people.user_by_email(app.database, USERS[0][0])
    scheduling.sync_now(app, anna, ["contacts"], actor="test")
    wait_for(
        lambda: len(history.list_cycles(app.database, user_id=anna.user_id)) >= 2,
        30,
        installation.said,
    )
    app.close()

    children = installation.children()
    installation.process.send_signal(signal.SIGINT)
    assert installation.process.wait(40) == 0
    assert are_gone(children)
    assert not answers(config.redis_socket)


@pytest.mark.timeout(150)
@pytest.mark.rule("RUN-1", "ENG-4")
def test_nothing_outlives_an_up_that_was_killed(installation: Installation) -> None:
    children = installation.children()

    installation.process.kill()
    installation.process.wait()

    wait_for(lambda: are_gone(children), 30, installation.said)
