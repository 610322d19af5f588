"""Extended properties and their limits (contract 5.3)."""

from __future__ import annotations

from collections.abc import Callable

from sandbox.events.errors import too_large
from sandbox.events.model import Event
from sandbox.legacy import invalid
from sandbox.messages import Json
from sandbox.switches import Switches

KEY_MOST = 44
VALUE_MOST = 1024
COUNT_MOST = 300
BYTES_MOST = 32_768


def checked_properties(body: Json, which: str, switches: Switches) -> dict[str, str]:
    """One half of the properties: long keys go, long values are cut [M].

    Raises:
        ApiError: 400; there are too many, or (a switch) one is too long.
    """
    given: dict[str, str] = body.get("extendedProperties", {}).get(which, {})
    kept: dict[str, str] = {}
    for key, value in given.items():
        if len(key) > KEY_MOST or len(value) > VALUE_MOST:
            if switches.long_properties == "refuse":
                raise too_large()
            if len(key) > KEY_MOST:
                continue
        kept[key] = value[:VALUE_MOST]
    size = sum(len(k.encode()) + len(v.encode()) for k, v in kept.items())
    if len(kept) > COUNT_MOST or size > BYTES_MOST:
        raise too_large()
    return kept


def selector(params: Json, combine: str) -> Callable[[Event], bool] | None:
    """The filter of `privateExtendedProperty` and `sharedExtendedProperty`.

    Whether several are combined by AND or by OR is a switch (contract 0.6).
    """
    wanted = [
        (place, *_pair(text))
        for name, place in (
            ("privateExtendedProperty", "private"),
            ("sharedExtendedProperty", "shared"),
        )
        for text in params.get(name, ())
    ]
    if not wanted:
        return None
    together = any if combine == "or" else all

    def fits(event: Event) -> bool:
        return together(
            (event.own if place == "private" else event.shared).get(place, {}).get(key)
            == value
            for place, key, value in wanted
        )

    return fits


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise invalid("Invalid property constraint.")
    return key, value
