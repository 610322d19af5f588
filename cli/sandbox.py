"""`crm-sync sandbox`: the local stand-in for Google, a process of its own."""

from __future__ import annotations

import os
import sys

import click

from cli.common import says_errors


@click.group()
def sandbox() -> None:
    """A local stand-in for Google's servers."""


@sandbox.command("serve")
@click.option("--port", default=8900, show_default=True, help="0 picks a free one.")
@click.option(
    "--load", multiple=True, metavar="[ACCOUNT=]FILE", help="vCards, iCalendar, mail."
)
@click.option("--label", help="Put loaded contacts or mail in this label.")
@click.option("--consent", type=click.Choice(["page", "auto"]), default="page")
@click.option("--quota", type=click.Choice(["on", "off"]), default="on")
@click.option("--delay", default=2.0, show_default=True, help="Seconds feeds are late.")
@click.option("--demo/--empty", default=True, help="With the demo company's accounts.")
@says_errors
def serve(
    port: int,
    load: tuple[str, ...],
    label: str | None,
    consent: str,
    quota: str,
    delay: float,
    demo: bool,
) -> None:
    """Serve Google on one port; the state persists in the instance folder."""
    from crmsync.config import load_config

    config = load_config()
    config.make_instance()
    arguments = ["--port", str(port), "--data", str(config.instance_path / "sandbox")]
    arguments += ["--consent", consent, "--quota", quota, "--delay", str(delay)]
    arguments += [part for file in load for part in ("--load", file)]
    arguments += ["--label", label] if label else []
    arguments += ["--demo"] if demo else []
    sys.stdout.flush()
    os.execv(  # noqa: S606  our own module, no shell
        sys.executable, [sys.executable, "-m", "sandbox", *arguments]
    )
