"""Reports as one page that needs nothing besides: no script, no font, no picture from elsewhere.

Drills and tuning runs make theirs of these parts. A page is built as elements, never as text, so that nothing
an alert, a file or an error said can become markup.
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

_STYLE: Final = Path(__file__).with_name("report_page.css").read_text(encoding="utf-8")
_NUMBERS: Final = "number"

INDENT: Final = "\u2003"
_SPACES: Final = frozenset(f"\n\t{INDENT}")


def new_page(title: str, style: str) -> tuple[Element, Element]:
    """The page and its body. `style` goes behind the style sheet that all pages share."""
    html = Element("html", {"lang": "en"})
    head = SubElement(html, "head")
    SubElement(head, "meta", {"charset": "utf-8"})
    SubElement(head, "meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"})
    SubElement(head, "title").text = title
    SubElement(head, "style").text = _STYLE + style
    return html, SubElement(html, "body")


def text_of(html: Element) -> str:
    """The page as text."""
    for element in html.iter():
        element.text = printable(element.text or "") if element.tag != "style" else element.text
    return f"<!DOCTYPE html>\n{tostring(html, encoding='unicode', method='html')}\n"


def add(parent: Element, tag: str, text: str, kind: str = "") -> Element:
    """Add an element with this text; `kind` is its class."""
    element = SubElement(parent, tag, {"class": kind} if kind else {})
    element.text = text
    return element


def add_figures(parent: Element, figures: Iterable[tuple[str, str, str]]) -> None:
    """Add what is asked first, each in a box: name, value and what it is held against."""
    box = add(parent, "div", "", "figures")
    for name, value, against in figures:
        figure = add(box, "div", name, "figure")
        add(figure, "b", value)
        add(figure, "span", against, "soft")


def add_table(
    parent: Element, heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[str] = ()
) -> None:
    """Add a table; the columns whose heads are in `numbers` are set as numbers."""
    table = SubElement(add(parent, "div", "", "wide"), "table")
    kinds = [_NUMBERS if name in numbers else "" for name in heads]
    line = SubElement(SubElement(table, "thead"), "tr")
    for name, kind in zip(heads, kinds, strict=True):
        add(line, "th", name, kind)
    rows_of = SubElement(table, "tbody")
    for row in rows:
        line = SubElement(rows_of, "tr")
        for cell, kind in zip(row, kinds, strict=True):
            add(line, "td", cell, kind)


def printable(text: str) -> str:
    """Without what no document may hold or what turns its writing around: control and format characters."""
    return "".join(
        character if character.isprintable() or character in _SPACES else "\ufffd" for character in text
    )
