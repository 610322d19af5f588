"""`crm-sync db` and `crm-sync keys`: migrations and key rotation."""

from __future__ import annotations

import click

from cli.common import app, says_errors


@click.group()
def db() -> None:
    """Work on the database."""


@db.command("upgrade")
@says_errors
def upgrade() -> None:
    """Bring the database to this version."""
    from crmsync import migrations
    from crmsync.config import load_config
    from crmsync.storage.database import make_database

    config = load_config()
    config.make_instance()
    database = make_database(config.database_url)
    try:
        migrations.upgrade(database.engine)
    finally:
        database.close()
    click.echo("The database is up to date.")


@click.group()
def keys() -> None:
    """Work on the token keys."""


@keys.command("rotate")
@says_errors
def rotate() -> None:
    """Encrypt all tokens with the first key."""
    from crmsync.services import connecting

    with app() as wired:
        click.echo(f"Encrypted {connecting.rotate_keys(wired)} grants anew.")
