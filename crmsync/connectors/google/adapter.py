"""Google's client library on our own transport (architecture, decision 5).

`GoogleHttp` has the shape of `httplib2.Http`, which `build_from_document` expects.
It raises our errors, so `execute()` never raises the library's `HttpError`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import httplib2

from crmsync.connectors.google.faults import GoogleJudge
from crmsync.connectors.transport import (
    Answer,
    Call,
    Judge,
    RequestCounter,
    Transport,
)
from crmsync.errors import ReconnectNeeded


class TokenSource(Protocol):
    """Where access tokens of one connection come from."""

    def token(self) -> str:
        """Return a token that is valid for minutes.

        Raises:
            ReconnectNeeded: the grant is dead.
            Retryable: it could not be refreshed just now.
        """
        ...

    def renewed(self, refused: str) -> str:
        """Return another token, after Google refused this one (401).

        Raises:
            ReconnectNeeded: the grant is dead.
            Retryable: it could not be refreshed just now.
        """
        ...


class GoogleHttp:
    """One connection's way to one Google API; counts its own requests."""

    def __init__(
        self,
        transport: Transport,
        tokens: TokenSource,
        *,
        api: str,
        judge: Judge | None = None,
    ):
        """Bind a connection's tokens to the shared transport.

        Args:
            transport: the process's transport.
            tokens: of the connection.
            api: what requests are counted under, e.g. `people`.
            judge: what answers mean; Google's by default.
        """
        self.transport = transport
        self.counter = RequestCounter()
        self._tokens = tokens
        self._api = api
        self._judge = judge or GoogleJudge()

    def request(  # httplib2's signature
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        redirections: int = 0,
        connection_type: Any = None,
    ) -> tuple[Any, bytes]:
        """Send a request as `httplib2.Http.request` does.

        Args:
            uri: absolute.
            method: the HTTP method.
            body: text is sent as UTF-8.
            headers: without `authorization`.
            redirections: ignored, nothing is followed.
            connection_type: ignored.

        Raises:
            CrmSyncError: as `Transport.send` says, and as Google's answer means.
        """
        whole = body.encode() if isinstance(body, str) else body
        answer = self._authorised(uri, method, whole, dict(headers or {}))
        info = {**answer.headers, "status": str(answer.status)}
        # The body is decompressed already; the library must not do it again.
        info.pop("content-encoding", None)
        return httplib2.Response(info), answer.body

    def post(
        self, uri: str, body: bytes, headers: Mapping[str, str], *, is_repeatable: bool
    ) -> Answer:
        """Send a POST that says itself whether a repeat does no harm: a batch of reads.

        Raises:
            CrmSyncError: as `request`.
        """
        call = Call("POST", uri, headers, body, self._api, is_repeatable or None)
        return self._with_token(call)

    def renew(self) -> None:
        """Get another token: Google refused the present one in part of a batch.

        Raises:
            ReconnectNeeded: the grant is dead.
            Retryable: it could not be refreshed just now.
        """
        self._tokens.renewed(self._tokens.token())

    def _authorised(
        self, uri: str, method: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        return self._with_token(Call(method, uri, headers, body, api=self._api))

    def _with_token(self, call: Call) -> Answer:
        token = self._tokens.token()
        try:
            return self._send(call, token)
        except ReconnectNeeded:
            # A refused request was not executed: it may be sent again, once.
            fresh = self._tokens.renewed(token)
        return self._send(call, fresh)

    def _send(self, call: Call, token: str) -> Answer:
        headers = {**call.headers, "authorization": f"Bearer {token}"}
        whole = replace(call, headers=headers)
        return self.transport.send(whole, self._judge, counter=self.counter)

    def close(self) -> None:
        """Do nothing: the transport is shared."""
