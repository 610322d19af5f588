"""What all tables of the built-in CRM are made of: their metadata and column types."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, MetaData, String, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, MappedColumn, mapped_column
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcTime(TypeDecorator[datetime]):
    """Aware UTC times, also on SQLite, which forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Refuse naive times; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time was given where an aware one is needed")
        return value.astimezone(UTC)

    def process_result_value(
        self, value: datetime | None, dialect: Dialect
    ) -> datetime | None:
        """Return aware UTC."""
        if value is None:
            return None
        return (
            value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        )


def _ordered(limit: int | None = None) -> Any:
    """Return a text type that sorts by code point on every database."""
    kind = Text() if limit is None else String(limit)
    same = Text(collation="C") if limit is None else String(limit, collation="C")
    return kind.with_variant(same, "postgresql")


JSON_DICT = JSON().with_variant(postgresql.JSONB(), "postgresql")
ID = _ordered(12)
KEY = _ordered()


class Base(DeclarativeBase):
    """Base of the CRM's tables."""

    metadata = metadata


def text(limit: int) -> MappedColumn[str]:
    """Return a column of a short text that is never null."""
    return mapped_column(String(limit), default="", server_default="")
