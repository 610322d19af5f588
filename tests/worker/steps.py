"""What the tests of the worker do again and again."""

from __future__ import annotations

from typing import Any

from redis import Redis
from sqlalchemy import select, update

from cli import builtin
from crmsync.services import working
from crmsync.storage import people
from crmsync.storage import tables as t
from crmsync.storage.people import User
from tests.support.product import GROUP, Product
from tests.support.redis_server import RedisServer


def select_people(product: Product, count: int, *, start: int = 0) -> list[str]:
    """Put people into the CRM and into the Contact Sync Group."""
    ids = [
        str(
            builtin.edit_contact(
                product.app, "new", {"first": f"P{n}", "email": f"p{n}@x.example"}
            )["id"]
        )
        for n in range(start, start + count)
    ]
    builtin.change_members(product.app, GROUP, ids, selected=True)
    return ids


def pair_id(product: Product, user: User) -> str:
    return people.pair_of(product.app.database, user.user_id, "contacts").pair_id


def cycles_of(product: Product) -> list[Any]:
    with product.app.database.read() as connection:
        return list(connection.execute(select(t.cycles).order_by(t.cycles.c.id)))


def links_of(product: Product) -> list[Any]:
    with product.app.database.read() as connection:
        return list(connection.execute(select(t.links)))


def work_to_the_end(product: Product, user: User, *, seconds: float = 20.0) -> int:
    """Work slice by slice, as jobs do; return how many it took."""
    slices = 1
    while working.work_on_pair(product.app, pair_id(product, user), seconds=seconds):
        slices += 1
        assert slices < 100
    return slices


def waiting_jobs(redis: RedisServer) -> int:
    client = Redis.from_url(redis.url)
    try:
        return sum(int(client.llen(f"rq:queue:{q}")) for q in ("now", "mail", "sync"))
    finally:
        client.close()


def set_pair(product: Product, user: User, **values: Any) -> None:
    with product.app.database.write() as connection:
        connection.execute(
            update(t.pairs)
            .where(t.pairs.c.id == pair_id(product, user))
            .values(**values)
        )
