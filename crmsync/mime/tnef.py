"""winmail.dat: what Outlook packed into it (TNEF)."""

from __future__ import annotations

from crmsync.mime.names import kept
from crmsync.records.mail import MailFile


def unpacked(data: bytes) -> list[MailFile] | None:
    """Return the files in a winmail.dat; None if it cannot be read."""
    from tnefparse import TNEF

    try:
        found = TNEF(data).attachments
        return [
            MailFile(
                kept(str(file.long_filename() or file.name)) or f"part-{number}.bin",
                "application/octet-stream",
                bytes(file.data),
            )
            for number, file in enumerate(found, 1)
            if file.data
        ]
    except Exception:  # noqa: BLE001  the library tells of bad input in many ways
        return None
