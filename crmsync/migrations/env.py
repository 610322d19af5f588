"""What Alembic runs: the migrations, on a connection that is given to it.

The product gives one (`crmsync.migrations`); the command line of Alembic, which only
developers use to draft a revision, opens the database of `-x url=…`.
"""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from alembic.autogenerate.api import AutogenContext
from sqlalchemy import Connection, DateTime, TypeDecorator

from crm.tables import metadata as crm_metadata
from crmsync.errors import ConfigError
from crmsync.storage.database import make_database
from crmsync.storage.mailtables import metadata as state_metadata


def render_item(kind: str, item: Any, _autogen: AutogenContext) -> str | Literal[False]:
    """Write our time types as what they are in the database."""
    is_ours = kind == "type" and isinstance(item, TypeDecorator)
    is_time = is_ours and isinstance(item.impl_instance, DateTime)
    return "sa.DateTime(timezone=True)" if is_time else False


def run(connection: Connection) -> None:
    """Run the migrations in the transaction that has begun, or in one of their own."""
    context.configure(
        connection=connection,
        target_metadata=[state_metadata, crm_metadata],
        render_item=render_item,
        render_as_batch=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


def main() -> None:
    """Run on the given connection, or on the database of `-x url=…`."""
    given = context.config.attributes.get("connection")
    if given is not None:
        run(given)
        return
    url = context.get_x_argument(as_dictionary=True).get("url")
    if not isinstance(url, str):
        raise ConfigError("Name a database: alembic -x url=sqlite:///draft.db …")
    database = make_database(url)
    with database.write() as connection:
        run(connection)
    database.close()


main()
