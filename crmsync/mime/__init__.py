"""Messages as they travel (RFC 5322, MIME), read into the neutral form."""

from crmsync.mime.reading import read_mail

__all__ = ["read_mail"]
