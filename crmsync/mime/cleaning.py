"""HTML of strangers made harmless by an allow-list (MAIL-8).

What remains is text with its looks: no script, form, frame, event or style that could
leave its box. Pictures keep their address, but who shows the body decides whether they
are loaded.
"""

from __future__ import annotations

import html
import re

DEEPEST = 400
"""Levels of nesting that are cleaned; time grows with their square."""

_TAGS = {
    "a", "abbr", "address", "b", "big", "blockquote", "br", "caption", "center", "cite",
    "code", "col", "colgroup", "dd", "del", "div", "dl", "dt", "em", "font", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr", "i", "img", "ins", "kbd", "li", "ol", "p", "pre", "q",
    "s", "samp", "small", "span", "strike", "strong", "sub", "sup", "table", "tbody",
    "td", "tfoot", "th", "thead", "tr", "tt", "u", "ul", "var",
}  # fmt: skip
_LOOKS = {
    "align",
    "bgcolor",
    "dir",
    "height",
    "lang",
    "style",
    "title",
    "valign",
    "width",
}
_ATTRIBUTES = {
    "*": _LOOKS,
    "a": {"href", "name"},
    "img": {"alt", "src", "border"},
    "font": {"color", "face", "size"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
    "ol": {"start", "type"},
}
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}
_STYLES = {
    "background-color", "border", "border-bottom", "border-collapse", "border-color",
    "border-left", "border-radius", "border-right", "border-style", "border-top",
    "border-width", "color", "direction", "font", "font-family", "font-size",
    "font-style", "font-weight", "height", "letter-spacing", "line-height",
    "list-style-type", "margin", "margin-bottom", "margin-left", "margin-right",
    "margin-top", "max-width", "min-width", "padding", "padding-bottom", "padding-left",
    "padding-right", "padding-top", "text-align", "text-decoration", "text-indent",
    "text-transform", "vertical-align", "white-space", "width", "word-break",
}  # fmt: skip
_UNSEEN = {"script", "style", "title", "template", "noscript", "iframe", "object"}
_TAG = re.compile(r"<(/?)([a-z][a-z0-9:-]*)\b[^<>]*?(/?)>", re.IGNORECASE)
_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr"}
_HIDDEN = re.compile(
    r"<(script|style|title|head)\b.*?(?:</\1\s*>|\Z)", re.IGNORECASE | re.DOTALL
)
_ANY_TAG = re.compile(r"<[^<>]*>")
_CID = re.compile(r"cid:([^\"'\s>)]+)", re.IGNORECASE)


_FETCHING = re.compile(r"url|expression|behavior|binding|script|[@\\\\]", re.IGNORECASE)


def is_too_deep(text: str) -> bool:
    """Whether HTML is nested deeper than anybody writes it."""
    depth = 0
    for found in _TAG.finditer(text):
        if found[1]:
            depth = max(0, depth - 1)
        elif not found[3] and found[2].casefold() not in _VOID:
            depth += 1
            if depth > DEEPEST:
                return True
    return False


def clean(text: str) -> str:
    """Return HTML that may be shown to people, in a frame without rights."""
    import nh3

    return nh3.clean(
        text,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=_SCHEMES,
        url_relative="deny",
        filter_style_properties=_STYLES,
        attribute_filter=_allowed,
        clean_content_tags=_UNSEEN,
        link_rel="noopener noreferrer nofollow",
        set_tag_attribute_values={"a": {"target": "_blank"}},
        strip_comments=True,
    ).strip()


def _allowed(_tag: str, attribute: str, value: str) -> str | None:
    """Return an attribute's value; a style that fetches or computes is dropped."""
    return None if attribute == "style" and _FETCHING.search(value) else value


def as_text(cleaned: str) -> str:
    """Return cleaned HTML as plain text."""
    from inscriptis import get_text

    return str(get_text(cleaned)).strip() if cleaned else ""


def words_of(text: str) -> str:
    """Return the bare words of HTML that is not cleaned for its depth."""
    return html.unescape(_ANY_TAG.sub(" ", _HIDDEN.sub(" ", text))).strip()


def from_text(text: str) -> str:
    """Return plain text as HTML that shows it line by line."""
    return f'<div style="white-space: pre-wrap">{html.escape(text)}</div>'


def pictures_of(text: str) -> frozenset[str]:
    """Return the content ids that HTML refers to, folded."""
    return frozenset(found.strip("<>").casefold() for found in _CID.findall(text))
