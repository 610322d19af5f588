"""Folded forms under which names and addresses are looked up, never shown."""

from __future__ import annotations

import unicodedata

ACCOUNT_NAME_LIMIT = 128


def address_key(address: str) -> str:
    """Fold an e-mail address; "" for a text that is none and must match nothing.

    >>> address_key(" Jo@Example.COM ")
    'jo@example.com'
    """
    plain = address.strip().casefold()
    return plain if "@" in plain else ""


def fold(name: str) -> str:
    """Fold a person's name: compatibility forms, case and white space.

    >>> fold(" Émile  ZOLA ")
    'émile zola'
    """
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def person_key(first: str, last: str) -> str:
    """Join two folded names to the key by which persons are found and sorted."""
    return f"{last}\n{first}"


def account_key(name: str) -> str:
    """Fold a company's name: trimmed, without case, at the CRM's length (CON-9).

    >>> account_key("  ACME GmbH ")
    'acme gmbh'
    """
    plain = unicodedata.normalize("NFC", name).strip()
    return plain[:ACCOUNT_NAME_LIMIT].strip().casefold()
