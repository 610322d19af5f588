"""Partial answers: the `fields` parameter, as in `connections(etag),nextPageToken`."""

from __future__ import annotations

import re
from typing import Any

Tree = dict[str, Any]

_TOKEN = re.compile(r"[A-Za-z0-9_@*.$-]+|[(),/]")


class BadSelection(Exception):
    """The text is no field selection."""


def parse(text: str) -> Tree:
    """The selection as a tree; an empty branch means everything below.

    >>> parse("a(b,c/d),e")
    {'a': {'b': {}, 'c': {'d': {}}}, 'e': {}}
    """
    tokens = _TOKEN.findall(text.replace(" ", ""))
    if "".join(tokens) != text.replace(" ", "") or not tokens:
        raise BadSelection(text)
    tree, rest = _parse_list(tokens, 0)
    if rest != len(tokens):
        raise BadSelection(text)
    return tree


def _parse_list(tokens: list[str], at: int) -> tuple[Tree, int]:
    tree: Tree = {}
    while True:
        at = _parse_item(tokens, at, tree)
        if at < len(tokens) and tokens[at] == ",":
            at += 1
            continue
        return tree, at


def _parse_item(tokens: list[str], at: int, tree: Tree) -> int:
    if at >= len(tokens) or tokens[at] in "(),/":
        raise BadSelection("".join(tokens))
    branch: Tree = tree.setdefault(tokens[at], {})
    at += 1
    if at < len(tokens) and tokens[at] == "/":
        return _parse_item(tokens, at + 1, branch)
    if at < len(tokens) and tokens[at] == "(":
        inner, at = _parse_list(tokens, at + 1)
        if at >= len(tokens) or tokens[at] != ")":
            raise BadSelection("".join(tokens))
        branch.update(inner)
        at += 1
    return at


def select(value: Any, tree: Tree) -> Any:
    """Only what the tree names; objects that become empty vanish."""
    if not tree:
        return value
    if isinstance(value, list):
        return [picked for picked in (select(v, tree) for v in value) if picked != {}]
    if not isinstance(value, dict):
        return value
    if "*" in tree:
        rest: Tree = tree["*"]
        return {k: select(v, tree.get(k, rest)) for k, v in value.items()}
    picked = {}
    for name, branch in tree.items():
        if name in value:
            below = select(value[name], branch)
            if below not in ({}, []) or value[name] in ({}, []):
                picked[name] = below
    return picked
