"""A Slack message as a person sees it, on a terminal. Only what our own messages use is drawn."""

import html
from collections.abc import Iterator, Mapping
from typing import Any

from rich.panel import Panel
from rich.text import Text


def view(payload: Mapping[str, Any], *, channel: str) -> Panel:
    """Draw one Block Kit message (https://docs.slack.dev/reference/block-kit/blocks)."""
    body = Text()
    for block in payload.get("blocks", []):
        for line, style in _lines(block):
            body.append(line + "\n", style)
    body.rstrip()
    return Panel(body, title=channel, title_align="left", border_style="dim", width=100)


def _lines(block: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if block["type"] == "header":
        yield _plain(block["text"]), "bold"
    elif block["type"] == "section":
        if "text" in block:
            yield _plain(block["text"]), ""
        for field in block.get("fields", []):
            yield "  " + _plain(field).replace("\n", ": ", 1), ""
    elif block["type"] == "context":
        yield " · ".join(_plain(element) for element in block["elements"] if "text" in element), "dim"
    elif block["type"] == "divider":
        yield "─" * 40, "dim"


def _plain(text: Mapping[str, Any]) -> str:
    """A text object without its markup; Slack shows the three escaped characters as themselves.

    Alert text is hostile: what would steer the terminal is shown as a question mark.
    """
    unescaped = html.unescape(str(text["text"]))
    shown = "".join(c if c.isprintable() or c == "\n" else "?" for c in unescaped)
    return shown.replace("*", "") if text["type"] == "mrkdwn" else shown
