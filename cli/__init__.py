"""The commands (interfaces.md). May import everything; nothing imports it.

Exit status: 0 done, 2 wrong usage or configuration (one sentence), 1 another error;
`sync run` adds 3 and 4.
"""

from __future__ import annotations

import click

_GROUPS = {
    "user": "cli.users:user",
    "group": "cli.groups:group",
    "connection": "cli.connections:connection",
    "sync": "cli.sync:sync",
    "history": "cli.history:history",
    "item": "cli.history:item",
    "inbox": "cli.history:inbox",
    "proposal": "cli.history:proposal",
    "turn-over": "cli.history:turn_over",
    "settings": "cli.settings:settings",
    "crm": "cli.crm:crm",
    "check": "cli.check:check",
    "doctor": "cli.doctor:doctor",
    "db": "cli.db:db",
    "keys": "cli.db:keys",
    "sandbox": "cli.sandbox:sandbox",
    "demo": "cli.demo:demo",
    "up": "cli.up:up",
    "worker": "cli.processes:worker",
    "scheduler": "cli.processes:scheduler",
}


class _Lazy(click.Group):
    """Loads a command's module when it is called: start-up stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the docs."""
        return list(_GROUPS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        from importlib import import_module

        place = _GROUPS.get(cmd_name)
        if place is None:
            return None
        module, name = place.split(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="crm-sync-for-gmail", prog_name="crm-sync")
def main() -> None:
    """CRM Sync for Gmail: contacts, calendar, tasks and e-mail, both ways."""
