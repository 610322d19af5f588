"""Body checks compiled from discovery schemas; they also drop what is output only."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sandbox.messages import Json

Violations = list[tuple[str, str]]
Checker = Callable[[Any, str, Violations], Any]

_UPPER = re.compile(r"(?<!^)([A-Z])")

# These are marked output only, yet a write must carry a part of them (contract 4.5).
_KEPT = {("Person", "metadata")}

# Google's guide writes these in capitals, its document does not; both are taken.
_ANY_CASE = {
    ("WatchRequest", "labelFilterAction"),
    ("WatchRequest", "labelFilterBehavior"),
}

_ABSENT = object()


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """The proto name of a JSON name, as Google's messages spell it."""
    return _UPPER.sub(r"_\1", name).lower()


class Schemas:
    def __init__(self, schemas: dict[str, Json], *, keeps_nulls: bool = False) -> None:
        self.schemas = schemas
        self._keeps_nulls = keeps_nulls  # a null in a PATCH deletes (contract 1.2)
        self._checkers: dict[str, Checker] = {}

    def checker(self, name: str) -> Checker:
        """The check of one schema; compiled at its first use, kept afterwards."""

        def late(value: Any, where: str, wrong: Violations) -> Any:
            if name not in self._checkers:
                self._checkers[name] = self._object(self.schemas[name], name)
            return self._checkers[name](value, where, wrong)

        return late

    def unknown_path(self, spec: Json, tree: Json, above: str = "") -> str | None:
        """The first path of a `fields` tree that the schema does not have."""
        while spec.get("type") == "array":
            spec = spec["items"]
        if "$ref" in spec:
            spec = self.schemas[spec["$ref"]]
        known = spec.get("properties", {})
        for name, branch in tree.items():
            path = f"{above}/{name}" if above else name
            below = known.get(name, spec.get("additionalProperties"))
            if name == "*" or spec.get("type") == "any":
                continue
            if below is None:
                return path
            bad = self.unknown_path(below, branch, path)
            if bad is not None:
                return bad
        return None

    def _of(self, spec: Json) -> Checker:
        if "$ref" in spec:
            return self.checker(spec["$ref"])
        kind = spec["type"]
        if kind == "array":
            return self._array(spec)
        if kind == "object":
            return self._object(spec, "")
        return _scalar(spec)

    def _array(self, spec: Json) -> Checker:
        item = self._of(spec["items"])

        def check(value: Any, where: str, wrong: Violations) -> Any:
            if not isinstance(value, list):
                text = (
                    f"Invalid JSON payload received. Unknown name at '{where}': Proto "
                    f"field is repeating, it takes a list."
                )
                wrong.append((where, text))
                return _ABSENT
            return [item(v, f"{where}[{i}]", wrong) for i, v in enumerate(value)]

        return check

    def _object(self, spec: Json, name: str) -> Checker:
        known = {
            prop: (
                below,
                self._of(_folded(below) if (name, prop) in _ANY_CASE else below),
            )
            for prop, below in spec.get("properties", {}).items()
        }
        free = spec.get("additionalProperties")
        rest = self._of(free) if free else None
        keeps_nulls = self._keeps_nulls
        silent = {
            prop
            for prop, (below, _) in known.items()
            if below.get("readOnly") and (name, prop) not in _KEPT
        }

        def check(value: Any, where: str, wrong: Violations) -> Any:
            if not isinstance(value, dict):
                wrong.append(
                    (where, f"Invalid value at '{where}' (type {name}), {value!r}")
                )
                return _ABSENT
            cleaned: Json = {}
            for prop, given in value.items():
                if prop in known:
                    checker = known[prop][1]
                elif rest is not None:
                    checker = rest
                else:
                    wrong.append((where, _unknown(prop, where)))
                    continue
                if given is None:
                    if keeps_nulls and prop not in silent:
                        cleaned[prop] = None
                    continue
                below = snake(prop) if not where else f"{where}.{snake(prop)}"
                result = checker(given, below, wrong)
                if result is not _ABSENT and prop not in silent:
                    cleaned[prop] = result
            return cleaned

        return check


def _unknown(prop: str, where: str) -> str:
    at = f" at '{where}'" if where else ""
    return (
        f'Invalid JSON payload received. Unknown name "{prop}"{at}: Cannot find field.'
    )


def _folded(spec: Json) -> Json:
    return {**spec, "enum": [*spec["enum"], *(n.upper() for n in spec["enum"])]}


def _scalar(spec: Json) -> Checker:
    kind = spec["type"]
    if kind == "any":
        return lambda value, _where, _wrong: value
    if kind == "boolean":
        return _typed(lambda v: v if isinstance(v, bool) else _ABSENT, "TYPE_BOOL")
    if kind == "integer":
        return _typed(_int32, "TYPE_INT32")
    if kind == "number":
        return _typed(_number, "TYPE_DOUBLE")
    if "enum" in spec:
        names = frozenset(spec["enum"])
        return _typed(
            lambda v: v if isinstance(v, str) and v in names else _ABSENT, "TYPE_ENUM"
        )
    formats = {"int64": (_int64, "TYPE_INT64"), "byte": (_bytes, "TYPE_BYTES")}
    take, label = formats.get(spec.get("format", ""), (_text, "TYPE_STRING"))
    return _typed(take, label)


def _typed(take: Callable[[Any], Any], label: str) -> Checker:
    def check(value: Any, where: str, wrong: Violations) -> Any:
        taken = take(value)
        if taken is _ABSENT:
            shown = f'"{value}"' if isinstance(value, str) else value
            wrong.append((where, f"Invalid value at '{where}' ({label}), {shown}"))
        return taken

    return check


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else _ABSENT


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _ABSENT
    return value


def _int32(value: Any) -> Any:
    number = _int64(value)
    if number is _ABSENT or not -(2**31) <= int(number) < 2**31:
        return _ABSENT
    return int(number)


def _int64(value: Any) -> Any:
    """An integer, also as a string, as proto JSON has it; kept as a string."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return _ABSENT
    try:
        number = int(value)
    except (ValueError, OverflowError):
        return _ABSENT
    return str(number) if isinstance(value, str) or number == value else _ABSENT


def _bytes(value: Any) -> Any:
    if not isinstance(value, str):
        return _ABSENT
    try:
        base64.b64decode(
            value.replace("-", "+").replace("_", "/") + "==", validate=False
        )
    except binascii.Error:
        return _ABSENT
    return value
