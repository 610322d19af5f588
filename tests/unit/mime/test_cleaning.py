"""HTML of strangers: what is shown, and what never runs (MAIL-8)."""

from __future__ import annotations

import re

import pytest

from crmsync.mime.cleaning import clean, pictures_of
from tests.unit.mime.vectors import VECTORS

_ACTIVE = re.compile(
    r"<\s*/?\s*(?:script|iframe|object|embed|form|input|button|svg|math|meta|link|base"
    r"|style|template|video|audio|frame)\b|<[^>]*\son[a-z]+\s*=|<[^>]*(?:href|src)\s*="
    r"\s*[\"']?\s*(?:javascript|vbscript|data)\s*:|<[^>]*style\s*=[^>]*"
    r"(?:url\s*\(|expression|position|behavior|@import)",
    re.IGNORECASE,
)


@pytest.mark.rule("MAIL-8")
def test_no_known_trick_survives() -> None:
    assert len(set(VECTORS)) >= 200
    for vector in VECTORS:
        assert not _ACTIVE.search(clean(vector)), vector


@pytest.mark.rule("MAIL-8")
def test_what_people_write_keeps_its_looks() -> None:
    body = (
        '<p style="color: #333; position: fixed">Dear <b>Ann</b>,</p>'
        '<table border="1"><tr><td colspan="2" bgcolor="#eee">x</td></tr></table>'
        '<blockquote>said</blockquote><img src="cid:logo@x" alt="Logo" width="9">'
    )

    shown = clean(body)

    assert '<p style="color:#333">' in shown
    assert "position" not in shown
    assert '<td colspan="2" bgcolor="#eee">x</td>' in shown
    assert '<img src="cid:logo@x" alt="Logo" width="9">' in shown
    assert "<blockquote>said</blockquote>" in shown


@pytest.mark.rule("MAIL-8")
def test_a_link_opens_elsewhere_and_tells_nobody_where_from() -> None:
    shown = clean('<a href="https://x.example/a?b=1&amp;c=2" target="_top">go</a>')

    assert 'href="https://x.example/a?b=1&amp;c=2"' in shown
    assert 'target="_blank"' in shown
    assert "noopener" in shown
    assert "noreferrer" in shown


@pytest.mark.rule("MAIL-8")
def test_pictures_are_found_by_their_content_id() -> None:
    html = "<img src='cid:A@x'><td style=\"background: url(cid:b@x)\"><img src=cid:c>"

    assert pictures_of(html) == {"a@x", "b@x", "c"}
