"""Many requests in one: Google's multipart batches (contract, 1.3).

Parts are answered in any order and executed in any order: they are told apart by
their content ids. Each counts for itself against the quota, and each may fail by
itself. Only requests that may be repeated without harm belong into a batch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from email.message import Message
from email.parser import BytesParser
from typing import Any, Protocol
from urllib.parse import urlsplit
from uuid import uuid4

from crmsync.connectors.google.adapter import GoogleHttp
from crmsync.connectors.google.faults import GoogleJudge
from crmsync.connectors.google.mapping.texts import parse_json
from crmsync.connectors.transport import Again, Answer, Call, Verdict
from crmsync.errors import (
    CrmSyncError,
    NotFound,
    OutcomeUnknown,
    ProtocolBroken,
    ProviderDown,
    ReconnectNeeded,
    Retryable,
)

Wire = dict[str, Any]

PARTS = 50
"""Google's older cap, which every copy of its page allows (contract, 0.5)."""

_CONTENT_ID = re.compile(r"(\d+)>?\s*$")


class Request(Protocol):
    """What Google's client library builds, unsent."""

    uri: str
    method: str
    body: str | None
    headers: dict[str, str]


class Multipart:
    """One API's batch address for one connection."""

    def __init__(self, http: GoogleHttp, uri: str, judge: GoogleJudge):
        """Prepare.

        Args:
            http: the connection's way to the API.
            uri: the batch address.
            judge: what the answers to parts mean.
        """
        self._http = http
        self._uri = uri
        self._judge = judge
        self.parts = 0
        self._is_missing = False

    def send(self, requests: Sequence[Request]) -> list[Wire | CrmSyncError]:
        """Send up to 50 requests at once and return what became of each.

        A part that was limited, lost or not answered clearly goes out again, within
        the transport's budget.

        Raises:
            CrmSyncError: the batch as a whole failed before any part was answered.
        """
        budget, nature = self._http.transport.budget, self._http.transport.nature
        found: dict[int, Verdict | Wire] = {}
        waited = 0.0
        for attempt in range(1, budget.attempts + 1):
            places = [n for n in range(len(requests)) if _goes_again(found.get(n))]
            if not places:
                break
            if attempt > 1:
                wait = _wait(found, places, budget.first_wait_seconds * 2**attempt / 4)
                waited += wait
                if waited > budget.total_seconds:
                    break
                nature.sleep(wait)
            try:
                found.update(self._round(requests, places))
                self._renew_if_refused(found)
            except CrmSyncError as error:
                if not found:
                    raise
                if isinstance(error, OutcomeUnknown):
                    open_ = Verdict(error, Again.UNLESS_WRITTEN)
                    found.update(dict.fromkeys(places, open_))
                break
        return [_outcome(found.get(n), requests[n]) for n in range(len(requests))]

    def _round(
        self, requests: Sequence[Request], places: Sequence[int]
    ) -> dict[int, Verdict | Wire]:
        if self._is_missing:
            return {n: self._alone(requests[n]) for n in places}
        self.parts += len(places)
        edge = f"batch_{uuid4().hex}"
        parts = [f"--{edge}\r\n{_part(n, requests[n])}" for n in places]
        body = "".join([*parts, f"--{edge}--\r\n"]).encode()
        headers = {"content-type": f'multipart/mixed; boundary="{edge}"'}
        is_reading = all(requests[place].method == "GET" for place in places)
        try:
            answer = self._http.post(self._uri, body, headers, is_repeatable=is_reading)
        except NotFound:
            # A proxy between, or a stand-in: it was certainly not executed.
            self._is_missing = True
            return {n: self._alone(requests[n]) for n in places}
        try:
            answers = _answers(answer, places)
        except ProtocolBroken as error:
            if is_reading:
                raise
            raise OutcomeUnknown(error.message) from error
        return {n: self._judged(requests[n], answers.get(n)) for n in places}

    def _alone(self, request: Request) -> Verdict | Wire:
        """Send one request by itself, where there is no batch address."""
        headers = {"accept": "application/json", **request.headers}
        try:
            _, body = self._http.request(
                request.uri, request.method, request.body, headers
            )
        except OutcomeUnknown as error:
            return Verdict(error, Again.UNLESS_WRITTEN)
        except CrmSyncError as error:
            return Verdict(error)
        return _object(body)

    def _renew_if_refused(self, found: Mapping[int, Verdict | Wire]) -> None:
        refused = [v.error for v in found.values() if isinstance(v, Verdict)]
        if any(isinstance(error, ReconnectNeeded) for error in refused):
            self._http.renew()

    def _judged(self, request: Request, answer: Answer | None) -> Verdict | Wire:
        if answer is None:
            lost = ProviderDown("Google left a part of a batch without an answer.")
            return Verdict(lost, Again.UNLESS_WRITTEN)
        call = Call(request.method, request.uri, {"accept": "application/json"})
        verdict = self._judge(call, answer)
        if isinstance(verdict.error, ReconnectNeeded):
            return Verdict(verdict.error, Again.ALWAYS)  # once more with a new token
        if verdict.error is not None:
            return verdict
        return _object(answer.body)


def _object(body: bytes) -> Verdict | Wire:
    whole = parse_json(body) if body else {}
    if isinstance(whole, dict):
        return whole
    error = ProviderDown("Google's answer is no JSON object.")
    return Verdict(error, Again.UNLESS_WRITTEN)


def _goes_again(result: Verdict | Wire | None) -> bool:
    if result is None:
        return True
    return isinstance(result, Verdict) and result.again is not Again.NEVER


def _wait(
    found: dict[int, Verdict | Wire], places: Sequence[int], grown: float
) -> float:
    results = [found.get(place) for place in places]
    errors = [r.error for r in results if isinstance(r, Verdict)]
    asked = [e.retry_after or 0.0 for e in errors if isinstance(e, Retryable)]
    return max([grown, *asked])


def _outcome(result: Verdict | Wire | None, request: Request) -> Wire | CrmSyncError:
    if isinstance(result, dict):
        return result
    error = result.error if result is not None else None
    if error is None:
        return OutcomeUnknown("No clear answer came.")
    is_open = result is not None and result.again is Again.UNLESS_WRITTEN
    if is_open and request.method != "GET":
        return OutcomeUnknown(f"No clear answer came: {error.message}")
    return error


def _part(place: int, request: Request) -> str:
    """Return a request as a part; the batch's own headers apply to it."""
    where = urlsplit(request.uri)
    lines = [
        "Content-Type: application/http",
        "Content-Transfer-Encoding: binary",
        f"Content-ID: <part-{place}>",
        "",
        f"{request.method} {where.path}?{where.query} HTTP/1.1",
        "Accept: application/json",
    ]
    lines += [f"{n}: {v}" for n, v in request.headers.items() if n == "If-Match"]
    if request.body:
        lines.append("Content-Type: application/json; charset=UTF-8")
        lines.append(f"Content-Length: {len(request.body.encode())}")
    return "\r\n".join([*lines, "", request.body or "", ""])


def _answers(answer: Answer, places: Sequence[int]) -> dict[int, Answer]:
    """Return the answers by the place that their content id names.

    Without any content ids they are in the order of the requests.
    """
    kind = answer.headers.get("content-type", "")
    head = f"content-type: {kind}\r\n\r\n".encode()
    message = BytesParser().parsebytes(head + answer.body)
    parts = message.get_payload() if message.is_multipart() else []
    if not isinstance(parts, list) or not parts:
        raise ProtocolBroken("Google's answer to a batch is malformed.")
    found: dict[int, Answer] = {}
    shown = [part for part in parts if isinstance(part, Message)]
    has_ids = any(part.get("content-id") for part in shown)
    for part, order in zip(shown, places, strict=False):
        place = _CONTENT_ID.search(str(part.get("content-id", "")))
        inner = _inner(part)
        if inner is not None and place is not None:
            found[int(place[1])] = inner
        elif inner is not None and not has_ids and len(shown) == len(places):
            found[order] = inner
    return found


def _inner(part: Message) -> Answer | None:
    """Return the HTTP answer that stands in a part; None if it is none."""
    whole = part.get_payload(decode=True)
    if not isinstance(whole, bytes):
        return None
    line, _, rest = whole.lstrip().partition(b"\n")
    words = line.split()
    if len(words) < 2 or not words[1].isdigit():
        return None
    head, _, body = rest.replace(b"\r\n", b"\n").partition(b"\n\n")
    headers = {}
    for text in head.decode(errors="replace").splitlines():
        name, _, value = text.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Answer(int(words[1]), headers, body.strip())
