"""Our key inside a provider's record (`crm-sync-key`, CON-20).

The key names installation, user, the record on the other side and the intent that
created it. With it a lost link table is found again without a second record.
"""

from __future__ import annotations

from dataclasses import dataclass

_VERSION = "1"
_SEPARATOR = "|"


@dataclass(frozen=True, slots=True)
class SyncKey:
    """What a key says.

    Attributes:
        installation: id of this installation.
        user: id of our user.
        origin: id of the record on the other side.
        intent: unique per create; a repeated create carries the same one.
    """

    installation: str
    user: str
    origin: str
    intent: str

    @property
    def text(self) -> str:
        """The key as it stands in a provider's record.

        >>> SyncKey("i", "u", "people/c1", "x").text
        '1|i|u|people/c1|x'
        """
        parts = (_VERSION, self.installation, self.user, self.origin, self.intent)
        return _SEPARATOR.join(parts)


def origin_prefix(installation: str, user: str, origin: str) -> str:
    """Return what all keys of one origin begin with, whatever their intent."""
    parts = (_VERSION, installation, user, origin, "")
    return _SEPARATOR.join(parts)


def parse_key(text: str) -> SyncKey | None:
    """Read a key; None if it is not one of ours."""
    parts = text.split(_SEPARATOR)
    if len(parts) != 5 or parts[0] != _VERSION or not all(parts):
        return None
    return SyncKey(*parts[1:])
