"""`crm-sync worker` and `crm-sync scheduler`: the processes of an installation."""

from __future__ import annotations

import os
import signal
import sys

import click

from cli.common import app, says_errors


@click.command()
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 64))
@says_errors
def worker(count: int) -> None:
    """Take jobs from the queue until stopped."""
    from crmsync import logs
    from crmsync.config import load_config

    config = load_config()
    logs.configure(as_json=not sys.stderr.isatty())
    if count == 1:
        from worker import process

        process.run(config)
        return
    from cli.supervisor import Child, Supervisor

    supervisor = Supervisor(config.instance_path / "logs")
    command = [sys.executable, "-m", "webapp", "worker"]
    for number in range(1, count + 1):
        supervisor.add(Child(f"worker-{number}", command, dict(os.environ)))
    try:
        supervisor.run()
    finally:
        supervisor.stop()


@click.command()
@says_errors
def scheduler() -> None:
    """Ring for what is due until stopped; a second scheduler waits."""
    from worker.schedule import Scheduler

    with app(level="info") as wired:
        schedule = Scheduler(wired)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: schedule.stop())
        schedule.run()
