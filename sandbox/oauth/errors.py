"""Refusals of the authorisation server: pages, JSON, or a redirect."""

from __future__ import annotations

from sandbox.messages import Response, json_response


class PageError(Exception):
    """Shown to the user on Google's page; nothing is sent to the application (3.2)."""

    def __init__(self, code: int, error: str, sentence: str) -> None:
        super().__init__(error)
        self.code = code
        self.error = error
        self.sentence = sentence


class TokenError(Exception):
    """The token endpoint's JSON (3.3, 3.6)."""

    def __init__(
        self, error: str, description: str, *, code: int = 400, subtype: str = ""
    ) -> None:
        super().__init__(error)
        self.error = error
        self.description = description
        self.code = code
        self.subtype = subtype

    def response(self) -> Response:
        body = {"error": self.error, "error_description": self.description}
        if self.subtype:
            body["error_subtype"] = self.subtype
        return json_response(body, self.code)


def invalid_grant(description: str = "Bad Request") -> TokenError:
    return TokenError("invalid_grant", description)


def dead_token() -> TokenError:
    return invalid_grant("Token has been expired or revoked.")
