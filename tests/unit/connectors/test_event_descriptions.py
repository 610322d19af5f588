"""Descriptions: HTML to text and back, and the CRM's section in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmsync.connectors.google.mapping.description import (
    BEGIN,
    END,
    is_html,
    read_description,
    to_description,
    to_text,
    write_description,
)
from crmsync.records.equivalence import text as folded

SECTION = "Account: Miller & Sons\nOpportunity: 500 boxes"
FRAMED = f"{BEGIN}\n{SECTION}\n{END}"


@pytest.mark.rule("CAL-22")
@pytest.mark.parametrize(
    ("description", "text"),
    [
        ("plain\ntext", "plain\ntext"),
        ("line<br>line<br/>line", "line\nline\nline"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("a <b>bold</b> <i>word</i>\nand a line", "a bold word\nand a line"),
        ("<ul><li>one</li><li>two</li></ul>", "* one\n  * two"),
        ('see <a href="https://x.example/a">our page</a>',
         "see our page (https://x.example/a)"),
        ('<a href="https://x.example/a">https://x.example/a</a>',
         "https://x.example/a"),
        ("5 &lt; 6 &amp; 7", "5 < 6 & 7"),
        ("5 < 6 & <jo@x.example>", "5 < 6 & <jo@x.example>"),
        ("hi<script>alert('no')</script><style>p {}</style>", "hi"),
        ("<script>alert('no')</script>", ""),
        ("<img src=x onerror=alert(1)>hi", "hi"),
        ("<!-- hidden -->hi", "hi"),
        ("<div>" * 3000 + "<script>no</script>deep", "deep"),
    ],
)  # fmt: skip
def test_html_is_read_as_plain_text(description: str, text: str) -> None:
    assert folded(to_text(description)) == folded(text)


@pytest.mark.rule("CAL-22")
def test_text_is_escaped_only_where_it_would_be_misread() -> None:
    assert to_description("a < b & c\nd") == "a < b & c\nd"
    assert to_description("write <b>this</b>\n&amp;") == (
        "write &lt;b&gt;this&lt;/b&gt;<br>&amp;amp;"
    )


@given(st.text() | st.text(alphabet="<>&;/abp \n—-CRM#x3"))
def test_any_text_comes_back_as_it_was(text: str) -> None:
    plain = text.replace("\r", "\n")
    assert folded(to_text(to_description(plain))) == folded(plain)


@given(st.text(alphabet="<>&;/abpriu=\"' \n—-CRM#x3!") | st.text())
def test_any_description_is_read(description: str) -> None:
    found = read_description(description)

    assert "<script" not in found.notes or not is_html(description)


@pytest.mark.rule("CAL-5")
@pytest.mark.parametrize("notes", ["", "See you", "a\n\nb", "use <b>", "a &amp; b"])
def test_the_section_is_written_and_stripped(notes: str) -> None:
    written = write_description("", notes, SECTION)

    assert read_description(written).notes == notes
    assert read_description(written).context == SECTION


@pytest.mark.rule("CAL-5")
def test_people_understand_the_markers() -> None:
    assert write_description("Hi", None, "Account: A") == (
        "Hi\n\n— CRM —\nAccount: A\n— end of CRM details —"
    )


@pytest.mark.rule("CAL-5")
@pytest.mark.parametrize(
    "description",
    [
        f"Hi\n\n{FRAMED}",
        f"Hi\n\n{FRAMED}".replace("\n", "\r\n"),
        f"Hi<br><br>{FRAMED}".replace("\n", "<br>").replace("&", "&amp;"),
        f"<p>Hi</p><p>{FRAMED}</p>".replace("\n", "</p><p>").replace("&", "&amp;"),
        f"Hi<br><b>{FRAMED}</b>".replace("\n", "<br>\n").replace("&", "&amp;"),
        f"Hi\n\n{FRAMED}".replace("—", "--").replace("CRM details", "crm details"),
        "Hi<br>&mdash; <b>CRM</b> &mdash;<br>Account: Miller &amp; Sons<br>"
        "Opportunity: 500 boxes<br>&mdash; end of CRM details &mdash;",
        "Hi\n— CRM —\nAccount: Miller & Sons\nOpportunity: 500 boxes\n",
    ],
)
def test_the_section_is_found_after_somebody_reformatted_it(description: str) -> None:
    found = read_description(description)

    assert (found.notes, found.context) == ("Hi", SECTION)
    again = write_description(description, None, "Account: New <b>Ltd</b>")
    assert folded(read_description(again).notes) == "Hi"
    assert read_description(again).context == "Account: New <b>Ltd</b>"


@pytest.mark.rule("CAL-5")
def test_a_stray_end_line_is_no_text_of_the_user_s() -> None:
    assert read_description(f"Hi\n{END}").notes == "Hi"
    assert read_description(f"Hi\n{BEGIN}\nAccount: A").context == "Account: A"


@pytest.mark.rule("CAL-5")
def test_text_after_the_section_survives() -> None:
    description = f"before\n\n{FRAMED}\n\nafter"

    assert folded(read_description(description).notes) == "before\n\nafter"
    again = write_description(description, None, "Account: B")
    assert folded(read_description(again).notes) == "before\n\nafter"


@pytest.mark.rule("CAL-22", "CAL-5")
def test_another_section_leaves_the_formatting_of_the_rest() -> None:
    html = "a <b>bold</b> word<br><br>— CRM —<br>Account: A<br>— end of CRM details —"

    again = write_description(html, None, "Account: B\nLead: C")

    assert again == (
        "a <b>bold</b> word<br><br>— CRM —<br>Account: B<br>Lead: C<br>"
        "— end of CRM details —"
    )


@pytest.mark.rule("CAL-22", "CAL-5")
def test_line_ends_of_formatted_text_survive_a_section_beside_it() -> None:
    both = write_description("a <b>bold</b> word\nand a line", None, "Account: A")

    assert read_description(both).notes == "a bold word\nand a line"


@pytest.mark.rule("CAL-22")
def test_an_edit_of_the_text_replaces_the_formatting_and_keeps_the_section() -> None:
    html = "a <b>bold</b> word<br>— CRM —<br>Account: A<br>— end of CRM details —"

    assert (
        read_description(write_description(html, "new", None)).context == "Account: A"
    )
    assert "<b>" not in write_description(html, "new", None)


@pytest.mark.rule("CAL-5")
def test_without_a_section_all_text_is_the_user_s() -> None:
    found = read_description("My own notes about the CRM - CRM - and more")

    assert found.notes == "My own notes about the CRM - CRM - and more"
    assert found.context is None


@pytest.mark.rule("CAL-5")
def test_a_removed_section_leaves_the_text() -> None:
    assert write_description(f"Hi\n\n{FRAMED}", None, "") == "Hi"
    html = f"<p>Hi</p>{FRAMED}".replace("\n", "<br>").replace("&", "&amp;")
    assert write_description(html, None, "") == "<p>Hi</p>"


@pytest.mark.rule("CAL-5")
def test_notes_and_section_are_not_read_as_one_tag() -> None:
    written = write_description("", "x <a", "Account: >")

    assert read_description(written).context == "Account: >"
    assert read_description(written).notes == "x <a"


_WORDS = st.text(alphabet="ab<>&; \n—-pCRM", max_size=40)


@pytest.mark.rule("CAL-5")
@given(_WORDS, _WORDS, _WORDS)
def test_whatever_the_texts_a_section_is_replaced_by_the_next(
    body: str, one: str, other: str
) -> None:
    sections = [f"Account: {text}" for text in (one, other)]
    first = write_description(f"x {body}", None, sections[0])
    if any("CRM" in text for text in (body, one, other)):
        return  # what looks like a marker is one

    again = read_description(write_description(first, None, sections[1]))

    lines = [folded(line) for line in sections[1].splitlines()]
    assert folded(again.context or "") == "\n".join(line for line in lines if line)
    assert folded(again.notes) == folded(to_text(f"x {body}"))
