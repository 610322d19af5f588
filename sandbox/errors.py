"""Google's error shape for its newer APIs (google.rpc.Status over HTTP).

Contract: google-people-calendar-tasks.md section 2.1.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from sandbox.messages import HTML_TYPE, Json, Response, dumps

_REALM = 'Bearer realm="https://accounts.google.com/"'
TYPE_PREFIX = "type.googleapis.com/google.rpc."

HTTP_OF = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "INTERNAL": 500,
    "UNIMPLEMENTED": 501,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}

RPC_CODE = {
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "UNAUTHENTICATED": 16,
}


class ApiError(Exception):
    """A refusal in Google's words."""

    def __init__(
        self,
        status: str,
        message: str,
        *,
        details: list[Json] | None = None,
        headers: list[tuple[str, str]] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = HTTP_OF[status]
        self.message = message
        self.details = details or []
        self.headers = headers or []

    def body(self) -> Json:
        error: Json = {
            "code": self.code,
            "message": self.message,
            "status": self.status,
        }
        if self.details:
            error["details"] = self.details
        return {"error": error}

    def rpc_status(self) -> Json:
        """The same refusal as a google.rpc.Status inside a larger answer."""
        status: Json = {"code": RPC_CODE[self.status], "message": self.message}
        if self.details:
            status["details"] = self.details
        return status

    def response(self, *, pretty: bool = True) -> Response:
        body = dumps(self.body(), pretty=pretty)
        return Response(self.code, body, headers=list(self.headers))


def error_info(
    reason: str, domain: str, metadata: dict[str, str] | None = None
) -> Json:
    info: Json = {
        "@type": TYPE_PREFIX + "ErrorInfo",
        "reason": reason,
        "domain": domain,
    }
    if metadata:
        info["metadata"] = metadata
    return info


def bad_request(violations: list[tuple[str, str]]) -> ApiError:
    """A 400 with one line per violation, as the transcoder words them."""
    listed: list[dict[str, Any]] = []
    for where, text in violations:
        listed.append(
            {"field": where, "description": text} if where else {"description": text}
        )
    return ApiError(
        "INVALID_ARGUMENT",
        "\n".join(text for _, text in violations),
        details=[{"@type": TYPE_PREFIX + "BadRequest", "fieldViolations": listed}],
    )


def invalid(message: str) -> ApiError:
    return ApiError("INVALID_ARGUMENT", message)


def not_found() -> ApiError:
    return ApiError("NOT_FOUND", "Requested entity was not found.")


def missing_credential(service: str, method: str) -> ApiError:
    return ApiError(
        "UNAUTHENTICATED",
        "Request is missing required authentication credential. Expected OAuth 2 "
        "access token, login cookie or other valid authentication credential. See "
        "https://developers.google.com/identity/sign-in/web/devconsole-project.",
        details=[
            error_info(
                "CREDENTIALS_MISSING",
                "googleapis.com",
                {"service": service, "method": method},
            )
        ],
        headers=[("WWW-Authenticate", _REALM)],
    )


def bad_credential(service: str, method: str) -> ApiError:
    realm = f'{_REALM}, error="invalid_token"'
    return ApiError(
        "UNAUTHENTICATED",
        "Request had invalid authentication credentials. Expected OAuth 2 access "
        "token, login cookie or other valid authentication credential. See "
        "https://developers.google.com/identity/sign-in/web/devconsole-project.",
        details=[
            error_info(
                "ACCESS_TOKEN_EXPIRED",
                "googleapis.com",
                {"service": service, "method": method},
            )
        ],
        headers=[("WWW-Authenticate", realm)],
    )


def missing_scope(service: str, method: str) -> ApiError:
    return ApiError(
        "PERMISSION_DENIED",
        "Request had insufficient authentication scopes.",
        details=[
            error_info(
                "ACCESS_TOKEN_SCOPE_INSUFFICIENT",
                "googleapis.com",
                {"service": service, "method": method},
            )
        ],
        headers=[("WWW-Authenticate", f'{_REALM}, error="insufficient_scope"')],
    )


def page(code: int, sentence: str) -> Response:
    """The page Google's front end shows where no API answers."""
    name = HTTPStatus(code).phrase
    text = (
        f"<!DOCTYPE html>\n<html lang=en>\n<meta charset=utf-8>\n"
        f"<title>Error {code} ({name})!!1</title>\n"
        f"<p><b>{code}.</b> <ins>That's an error.</ins>\n<p>{sentence} "
        f"<ins>That's all we know.</ins>\n</html>\n"
    )
    return Response(code, text.encode(), HTML_TYPE)
