"""Tasks' own refusals; their reasons were never seen, the codes are the contract's."""

from __future__ import annotations

from sandbox.legacy import LegacyError, invalid


def too_long(what: str) -> LegacyError:
    return invalid(f"Invalid value for: {what} is too long.")


def over_limit(what: str) -> LegacyError:
    return LegacyError(403, "quotaExceeded", f"Too many {what}.", domain="usageLimits")


def over_daily_quota() -> LegacyError:
    return LegacyError(
        403, "dailyLimitExceeded", "Daily Limit Exceeded", domain="usageLimits"
    )


def bad_place(message: str) -> LegacyError:
    return invalid(f"Invalid position: {message}")
