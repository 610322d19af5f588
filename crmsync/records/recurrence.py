"""Recurrence in one neutral form: RFC 5545 lines, canonically ordered (CAL-17)."""

from __future__ import annotations

_ORDER = (
    "FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYMONTH", "BYWEEKNO", "BYYEARDAY",
    "BYMONTHDAY", "BYDAY", "BYHOUR", "BYMINUTE", "BYSECOND", "BYSETPOS",
)  # fmt: skip
_DEFAULTS = {"INTERVAL": "1", "WKST": "MO"}


def canonical_rule(text: str) -> str:
    r"""Return recurrence lines in canonical form; two equal ones mean the same.

    >>> canonical_rule("RRULE:INTERVAL=1;BYDAY=we,mo;FREQ=WEEKLY")
    'RRULE:FREQ=WEEKLY;BYDAY=MO,WE'
    >>> canonical_rule("EXDATE:20261202\nEXDATE:20261201")
    'EXDATE:20261201,20261202'
    """
    rules: list[str] = []
    dates: dict[str, set[str]] = {}
    for line in text.splitlines():
        name, _, value = line.strip().partition(":")
        if name.upper() == "RRULE":
            rules.append(f"RRULE:{_rule(value.upper())}")
        elif name:
            dates.setdefault(name.upper(), set()).update(value.upper().split(","))
    days = [f"{name}:{','.join(sorted(found))}" for name, found in dates.items()]
    return "\n".join(sorted({*rules, *days}))


def _rule(value: str) -> str:
    pairs = dict(part.partition("=")[::2] for part in value.split(";") if part)
    kept = {n: _sorted(n, v) for n, v in pairs.items() if _DEFAULTS.get(n) != v}
    rest = sorted(set(kept) - set(_ORDER))
    return ";".join(f"{n}={kept[n]}" for n in (*_ORDER, *rest) if n in kept)


def _sorted(name: str, value: str) -> str:
    if not name.startswith("BY"):
        return value
    days = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

    def order(item: str) -> tuple[int, int, str]:
        if name == "BYDAY" and item[-2:] in days:
            return (days.index(item[-2:]), int(item[:-2] or 0), "")
        return (0, int(item), "") if item.lstrip("+-").isdigit() else (9, 0, item)

    return ",".join(sorted(dict.fromkeys(value.split(",")), key=order))
