"""An event's description: HTML <-> text, and the CRM's section in it (CAL-5, CAL-22).

Google treats a description as HTML where it looks like HTML. People read plain text
in the CRM, and what they write there is escaped only if it would be misread. The
section stands between two marker lines that people understand, and is found again
after Google or a person has reformatted it.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

BEGIN = "— CRM —"
END = "— end of CRM details —"

_TAGS = (
    "a|abbr|address|area|article|aside|b|base|big|blockquote|body|br|button|canvas|"
    "center|cite|code|col|dd|del|details|dfn|div|dl|dt|em|embed|fieldset|figure|font|"
    "footer|form|frame|frameset|h[1-6]|head|header|hr|html|html-blob|i|iframe|img|input|"
    "ins|kbd|label|li|link|main|map|math|mark|meta|nav|noscript|object|ol|option|p|"
    "param|pre|q|s|samp|script|section|select|small|span|strike|strong|style|sub|"
    "summary|sup|svg|table|tbody|td|template|textarea|tfoot|th|thead|title|tr|tt|u|ul|"
    "var|video|wbr|audio|source"
)
_HTML = re.compile(
    rf"</?(?:{_TAGS})(?:[\s/][^<>]*)?>|<!--|<(?:script|style)\b"
    r"|&(?:[a-z][a-z0-9]{1,31}|#[0-9]{1,7}|#x[0-9a-f]{1,6});",
    re.IGNORECASE,
)
_TAG = re.compile(r"<(/?)([a-z][a-z0-9-]*)\b[^<>]*>", re.IGNORECASE)
_TAG_OR_END = re.compile(r"(<[^<>]*>)|\n")
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_BLOCK = re.compile(r"<(?:br|p|div|ul|ol|li|table|h[1-6]|pre|hr)\b", re.IGNORECASE)
_LINK = re.compile(r'<a href="([^"]*)"[^<>]*>(.*?)</a>', re.IGNORECASE | re.DOTALL)
_KEPT = {
    "a", "b", "i", "u", "em", "strong", "br", "p", "ul", "ol", "li", "div", "span",
    "h1", "h2", "h3", "h4", "h5", "h6", "table", "tbody", "thead", "tr", "td", "th",
    "blockquote", "pre", "hr",
}  # fmt: skip
_UNSEEN = {"script", "style"}
_DASH = r"(?:—|–|-|&mdash;|&ndash;|&#8212;|&#8211;|&#x2014;|&#x2013;){1,3}"
_GAP = r"(?:\s|&nbsp;|<[^<>]*>)*"
_BEGIN_IN = re.compile(rf"(?<![^\s>;]){_DASH}{_GAP}CRM{_GAP}{_DASH}(?![^\s<&])")
_END_IN = re.compile(
    rf"(?<![^\s>;]){_DASH}{_GAP}end\s+of\s+CRM\s+details{_GAP}{_DASH}(?![^\s<&])",
    re.IGNORECASE,
)
_BEGIN_LINE = re.compile(r"\W{0,8}[—–-]{1,3}\s*CRM\s*[—–-]{1,3}\W{0,8}")
_END_LINE = re.compile(
    r"\W{0,8}[—–-]{1,3}\s*end of CRM details\s*[—–-]{1,3}\W{0,8}", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Description:
    """What a description says.

    Attributes:
        notes: the text outside the section.
        context: the section without its markers; None where there is none.
    """

    notes: str = ""
    context: str | None = None


# ------------------------------------------------------------------ HTML and text


def is_html(text: str) -> bool:
    """Whether Google shows a description as HTML.

    >>> is_html("a <b>bold</b> word"), is_html("5 < 6 & <jo@x.example>")
    (True, False)
    """
    return _HTML.search(text) is not None


def to_text(description: str) -> str:
    """Return a description as plain text; scripts and styles vanish.

    >>> to_text("<p>Bring <b>cake</b> &amp; tea</p><script>alert(1)</script>")
    'Bring cake & tea'
    """
    plain = description.replace("\r\n", "\n").replace("\r", "\n")
    if not is_html(plain):
        return plain.strip()
    if not _TAG.search(_BREAK.sub("", plain)) and "<!--" not in plain:
        return html.unescape(_BREAK.sub("\n", plain)).strip()
    return _rendered(plain)


def _rendered(text: str) -> str:
    import nh3
    from inscriptis import get_text

    clean = nh3.clean(
        _with_breaks(text),
        tags=_KEPT,
        attributes={"a": {"href"}},
        clean_content_tags=_UNSEEN,
        link_rel=None,
        strip_comments=True,
    )
    shown = str(get_text(_LINK.sub(_link, clean))).strip()
    if shown:
        return shown
    # What is nested too deeply is not rendered at all: the words alone, then.
    return html.unescape(
        nh3.clean(text, tags=set(), clean_content_tags=_UNSEEN)
    ).strip()


def _with_breaks(text: str) -> str:
    """Return HTML with its line ends as breaks: Google shows them without blocks."""
    if _BLOCK.search(text):
        return text
    return _TAG_OR_END.sub(lambda found: found[1] or "<br>", text)


def _link(found: re.Match[str]) -> str:
    """Keep the address of a link whose words do not say it."""
    address, words = found[1], found[2]
    shown = html.unescape(_TAG.sub("", words)).strip()
    target = html.unescape(address)
    bare = target.removeprefix("mailto:").removeprefix("https://")
    is_said = bare.removeprefix("http://").rstrip("/") in shown
    return words if is_said or not target else f"{words} ({address})"


def to_description(text: str) -> str:
    """Return a text as a description, escaped only if it would be misread.

    >>> to_description("5 < 6"), to_description("use <b>")
    ('5 < 6', 'use &lt;b&gt;')
    """
    return _escaped(text) if is_html(text) else text


def _escaped(text: str) -> str:
    return html.escape(text, quote=False).replace("\n", "<br>")


# ------------------------------------------------------------------ the section


def read_description(description: str) -> Description:
    r"""Return the notes and the section of a description.

    >>> read_description("Hi\n— CRM —\nAccount: A\n— end of CRM details —")
    Description(notes='Hi', context='Account: A')
    """
    return read_section(to_text(description))


def read_section(text: str) -> Description:
    """Return the notes and the section of a plain text."""
    lines = text.split("\n")
    begins = [n for n, line in enumerate(lines) if _BEGIN_LINE.fullmatch(line.strip())]
    if not begins:
        kept = [line for line in lines if not _END_LINE.fullmatch(line.strip())]
        return Description("\n".join(kept).strip())
    begin = begins[-1]
    end = _end_of(lines, begin)
    inside = [line.strip() for line in lines[begin + 1 : end] if line.strip()]
    outside = [*lines[:begin], *lines[end + 1 :]]
    return Description("\n".join(outside).strip(), "\n".join(inside))


def _end_of(lines: list[str], begin: int) -> int:
    """Return the section's last line; without its marker it ends at a blank line."""
    for at in range(begin + 1, len(lines)):
        if _END_LINE.fullmatch(lines[at].strip()):
            return at
    for at in range(begin + 1, len(lines)):
        if not lines[at].strip():
            return at
    return len(lines)


def write_description(description: str, notes: str | None, context: str | None) -> str:
    """Return a description with other notes, another section, or both.

    Args:
        description: as it is in Google; formatting survives where the notes stay.
        notes: new notes, None to leave them.
        context: the section, "" for none, None to leave it.
    """
    found = read_description(description)
    section = found.context or "" if context is None else context
    if notes is not None:
        return _joined(to_description(notes), section)
    if section == (found.context or ""):
        return description
    if found.context is None:
        return _joined(description.rstrip(), section)
    replaced = _replaced(description, section)
    wanted = Description(found.notes, _lines(section) or None)
    if read_description(replaced) == wanted:
        return replaced
    return _joined(to_description(found.notes), section)


def _lines(section: str) -> str:
    """Return a section as it is read back: a blank line would end it."""
    lines = [line.strip() for line in section.splitlines()]
    return "\n".join(line for line in lines if line)


def _joined(body: str, section: str) -> str:
    if not section:
        return body
    plain = f"{body}\n\n{framed(section)}" if body else framed(section)
    if not is_html(plain):  # looked at whole: a `<b` in one may end in the other
        return plain
    first = _with_breaks(body) if is_html(body) else _escaped(body)
    gap = "<br><br>" if first else ""
    return f"{first}{gap}{_escaped(framed(section))}"


def framed(section: str) -> str:
    """Return a section between its markers."""
    return f"{BEGIN}\n{_lines(section)}\n{END}"


def _replaced(description: str, section: str) -> str:
    """Put another section in place of the present one, if it is found in the HTML."""
    begins = list(_BEGIN_IN.finditer(description))
    end = _END_IN.search(description, begins[-1].end()) if begins else None
    if end is None:
        return description
    before, after = description[: begins[-1].start()], description[end.end() :]
    if not section:
        tags = _unpaired(description[begins[-1].start() : end.end()])
        return f"{before.rstrip()}{tags}{after}"
    plain = f"{before}{framed(section)}{after}"
    if not is_html(description) and not is_html(plain):
        return plain
    if not is_html(description):
        before, after = _escaped(before), _escaped(after)
    tags = _unpaired(description[begins[-1].start() : end.end()])
    return f"{before}{_escaped(framed(section))}{tags}{after}"


def _unpaired(span: str) -> str:
    """Return the tags of a span that are opened or closed outside of it."""
    left: list[tuple[str, str, str]] = []
    for tag in _TAG.finditer(span):
        closing, name = tag[1], tag[2].lower()
        if name in {"br", "hr", "wbr", "img"}:
            continue
        if left and left[-1][1] == name and left[-1][0] != closing:
            left.pop()
        else:
            left.append((closing, name, tag[0]))
    return "".join(text for _, _, text in left)
