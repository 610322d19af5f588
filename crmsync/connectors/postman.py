"""E-mail to our own people through SMTP: alerts, never anything to a customer."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from crmsync.errors import ConfigError, ProviderDown

_PATIENCE = 10.0
_PORTS = {"smtp": 25, "smtps": 465}


class SmtpPostman:
    """Sends plain text through the server of `SMTP_URL`."""

    def __init__(self, url: str, sender: str) -> None:
        """Read the address; nothing is connected yet.

        Raises:
            ConfigError: if it is no SMTP address.
        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ConfigError(
                "SMTP_URL is not usable: it is smtp://user:password@host:port, or "
                "smtps:// for TLS from the start."
            )
        self._host = parts.hostname
        self._port = parts.port or _PORTS[parts.scheme]
        self._is_tls = parts.scheme == "smtps"
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._sender = sender

    def send(self, to: Sequence[str], subject: str, text: str) -> None:
        """Send one message; each recipient is written to alone.

        Raises:
            ProviderDown: if the server cannot be reached or refuses it.
        """
        try:
            with self._connect() as server:
                for address in to:
                    server.send_message(self._message(address, subject, text))
        except (OSError, smtplib.SMTPException) as error:
            raise ProviderDown(
                f"The mail server did not take an alert ({type(error).__name__})."
            ) from None

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if self._is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self._host, self._port, timeout=_PATIENCE, context=context
            )
        else:
            server = smtplib.SMTP(self._host, self._port, timeout=_PATIENCE)
            server.ehlo()
            if server.has_extn("starttls"):
                server.starttls(context=context)
                server.ehlo()
        if self._user:
            server.login(self._user, self._password)
        return server

    def _message(self, address: str, subject: str, text: str) -> EmailMessage:
        message = EmailMessage()
        message["From"] = self._sender
        message["To"] = address
        message["Subject"] = " ".join(subject.split())
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain="crm-sync.invalid")
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        return message
