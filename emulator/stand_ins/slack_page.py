"""The page that shows what Slack received. Alert text is hostile: everything is escaped, no script runs."""

import html
import time
from collections.abc import Iterable
from typing import Any, Final

from aiohttp import web

from emulator.protocol import SlackMessage

REFRESH_S: Final = 3

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Slack: {total} messages</title>
<meta http-equiv="refresh" content="{refresh_s}"><style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
article {{ border-left: 4px solid #ccc; padding: .2rem 1rem; margin: 1.2rem 0 }}
h2 {{ font-size: 1.05rem; margin: .3rem 0 }}
p {{ margin: .3rem 0; white-space: pre-wrap; overflow-wrap: anywhere }}
small, .context {{ color: #616061 }} .fields {{ display: grid; grid-template-columns: 1fr 1fr; gap: 0 1rem }}
</style></head><body><h1>Slack stand-in</h1><p>{total} messages, the newest first.</p>
{messages}</body></html>
"""


def response(messages: Iterable[SlackMessage], *, total: int) -> web.Response:
    """The page of `messages`, newest first; `total` counts those not shown too."""
    articles = "".join(_article(message) for message in reversed(list(messages)))
    return web.Response(
        text=_PAGE.format(total=total, refresh_s=REFRESH_S, messages=articles),
        content_type="text/html",
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )


def _article(message: SlackMessage) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(message.received_at_ms / 1000))
    edited = " · edited" if message.edited else ""
    where = html.escape(f"#{message.channel} · {at} · from {message.region}{edited}")
    blocks = message.payload.get("blocks") or []
    body = (
        "".join(_block(block) for block in blocks)
        or f"<p>{html.escape(str(message.payload.get('text')))}</p>"
    )
    return f"<article><small>{where}</small>{body}</article>"


def _block(block: dict[str, Any]) -> str:
    kind = block["type"]
    if kind == "divider":
        return "<hr>"
    if kind == "header":
        return f"<h2>{_text(block['text'])}</h2>"
    if kind == "section":
        fields = "".join(f"<p>{_text(field)}</p>" for field in block.get("fields") or [])
        text = f"<p>{_text(block['text'])}</p>" if block.get("text") else ""
        return text + (f'<div class="fields">{fields}</div>' if fields else "")
    texts = (_text(e.get("text", "")) for e in block["elements"] if isinstance(e, dict))
    return f'<p class="context">{" · ".join(texts)}</p>'


def _text(value: Any) -> str:
    return html.escape(str(value.get("text", "") if isinstance(value, dict) else value))
