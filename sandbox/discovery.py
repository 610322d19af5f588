"""Routes, parameter checks and body checks, built from Google's discovery documents.

The documents are those bundled with google-api-python-client, so what Google's own
description refuses is refused here too (contract section 4.1, architecture.md 11).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from googleapiclient.discovery_cache import get_static_doc

from sandbox.errors import bad_request
from sandbox.messages import Json, Request
from sandbox.schemas import Checker, Schemas, snake

_PATH_PART = re.compile(r"\{(\+?)([A-Za-z0-9_.]+)\}")
_INT32 = re.compile(r"[+-]?\d{1,10}\Z")


@dataclass(slots=True)
class Method:
    """One method of an API, ready to match and check requests."""

    id: str
    service: str
    rpc: str
    http: str
    path: re.Pattern[str]
    params: dict[str, Json]
    body: Checker | None
    body_name: str
    response: str | None
    scopes: frozenset[str]


class Api:
    """One discovery document."""

    def __init__(self, name: str, version: str) -> None:
        self.doc: Json = orjson.loads(get_static_doc(name, version))
        self.name = name
        self.version = version
        self.schemas = Schemas(
            self.doc["schemas"], keeps_nulls=name in ("calendar", "tasks")
        )
        self.common: dict[str, Json] = self.doc.get("parameters", {})
        self.methods = [self._method(m) for m in _methods(self.doc)]

    def _method(self, spec: Json) -> Method:
        params = {**self.common, **spec.get("parameters", {})}
        reference = spec.get("request", {}).get("$ref")
        host = self.doc["rootUrl"].removeprefix("https://").strip("/")
        return Method(
            id=spec["id"],
            service=host,
            rpc=_rpc_name(spec["id"]),
            http=spec["httpMethod"],
            path=_pattern(self.doc["servicePath"] + spec["path"], params),
            params=params,
            body=self.schemas.checker(reference) if reference else None,
            body_name=""
            if reference is None or reference.endswith("Request")
            else snake(reference),
            response=spec.get("response", {}).get("$ref"),
            scopes=frozenset(spec.get("scopes", ())),
        )


class Routes:
    """All methods of all APIs on one port."""

    def __init__(self, apis: list[Api]) -> None:
        self.apis = {f"{api.name}/{api.version}": api for api in apis}
        self._by_http: dict[str, list[tuple[Api, Method]]] = {}
        for api in apis:
            for method in api.methods:
                self._by_http.setdefault(method.http, []).append((api, method))
        for listed in self._by_http.values():
            listed.sort(key=lambda pair: -len(pair[1].path.pattern))

    def find(self, http: str, path: str) -> tuple[Api, Method, dict[str, str]] | None:
        for api, method in self._by_http.get(http, ()):
            match = method.path.fullmatch(path)
            if match:
                return api, method, match.groupdict()
        return None


def known_scopes() -> frozenset[str]:
    """Every scope the bundled documents of our services name (contract 3.9)."""
    found = {"openid", "email", "profile"}
    for name, version in (
        ("people", "v1"),
        ("oauth2", "v2"),
        ("gmail", "v1"),
        ("calendar", "v3"),
        ("tasks", "v1"),
    ):
        doc = orjson.loads(get_static_doc(name, version))
        found |= set(doc["auth"]["oauth2"]["scopes"])
    return frozenset(found)


def check_query(method: Method, request: Request) -> Json:
    """The query as typed values.

    Raises:
        ApiError: an unknown name, a value twice, or a value of the wrong form.
    """
    values: Json = {}
    wrong: list[tuple[str, str]] = []
    for name, given in request.params().items():
        spec = method.params.get(name)
        if spec is None or spec["location"] != "query":
            wrong.append(("", _unknown(name)))
            continue
        if not spec.get("repeated") and len(given) > 1:
            wrong.append((snake(name), f"Query parameter '{name}' was given twice."))
            continue
        try:
            typed = [_typed(spec, name, text) for text in given]
        except ValueError as error:
            wrong.append((snake(name), str(error)))
            continue
        values[name] = typed if spec.get("repeated") else typed[0]
    if wrong:
        raise bad_request(wrong)
    return values


def check_body(method: Method, request: Request) -> Json:
    """The body, checked against its schema, without what is output only.

    Raises:
        ApiError: it is no JSON object, or has unknown names or wrong types.
    """
    if method.body is None:
        return {}
    try:
        value = orjson.loads(request.body) if request.body.strip() else {}
    except orjson.JSONDecodeError as error:
        raise bad_request([("", f"Invalid JSON payload received. {error}")])
    if not isinstance(value, dict):
        text = 'Invalid JSON payload received. Unknown name "": '
        raise bad_request([("", text + "Root element must be a message.")])
    wrong: list[tuple[str, str]] = []
    cleaned: Json = method.body(value, method.body_name, wrong)
    if wrong:
        raise bad_request(wrong)
    return cleaned


def check_selection(api: Api, method: Method, tree: Json) -> None:
    """Refuse a `fields` selection that names what the answer cannot hold."""
    if method.response is None:
        return
    bad = api.schemas.unknown_path({"$ref": method.response}, tree)
    if bad is not None:
        text = (
            f"Error expanding 'fields' parameter. Cannot find matching fields for "
            f"path '{bad}'."
        )
        error = bad_request([(bad, text)])
        error.message = "Request contains an invalid argument."
        raise error


def overridden(request: Request) -> Request:
    """A POST that stands for a long GET: the form is the query (contract 1.2)."""
    wanted = request.headers.get("x-http-method-override", "").upper()
    if request.method != "POST" or wanted in ("", "POST"):
        return request
    kind = request.headers.get("content-type", "")
    if wanted == "GET" and kind.startswith("application/x-www-form-urlencoded"):
        form = request.body.decode("ascii", "replace")
        request.query = "&".join(part for part in (request.query, form) if part)
        request.body = b""
    request.method = wanted
    return request


def _methods(resource: Json) -> Iterator[Json]:
    yield from resource.get("methods", {}).values()
    for below in resource.get("resources", {}).values():
        yield from _methods(below)


def _pattern(path: str, params: dict[str, Json]) -> re.Pattern[str]:
    text, end = "/", 0
    for part in _PATH_PART.finditer(path):
        text += re.escape(path[end : part.start()])
        inside = "[^/]+"
        if part[1]:
            inside = params[part[2]]["pattern"].strip("^$").replace("[^/]", "[^/:]")
        text += f"(?P<{part[2]}>{inside})"
        end = part.end()
    return re.compile(text + re.escape(path[end:]))


def _rpc_name(method_id: str) -> str:
    """The name the error details give a method, such as google.people.v1.People.Get."""
    parts = [part[:1].upper() + part[1:] for part in method_id.split(".")]
    return (
        f"google.{method_id.split('.', maxsplit=1)[0]}.{parts[-2]}Service.{parts[-1]}"
    )


def _unknown(name: str) -> str:
    return (
        f'Invalid JSON payload received. Unknown name "{name}": Cannot bind query '
        f"parameter. Field '{name}' could not be found in request message."
    )


def _typed(spec: Json, name: str, text: str) -> Any:
    kind = spec["type"]
    if kind == "boolean":
        if text.lower() not in ("true", "false"):
            raise ValueError(
                f"Invalid value at '{snake(name)}' (TYPE_BOOL), \"{text}\""
            )
        return text.lower() == "true"
    if kind == "integer":
        if not _INT32.match(text) or not -(2**31) <= int(text) < 2**31:
            raise ValueError(
                f"Invalid value at '{snake(name)}' (TYPE_INT32), \"{text}\""
            )
        return int(text)
    if "enum" in spec and text not in spec["enum"]:
        raise ValueError(f"Invalid value at '{snake(name)}' (TYPE_ENUM), \"{text}\"")
    return text
