"""The page that shows what Slack received: each message as it was edited last, with its thread.

Alert text is hostile: everything is escaped, no script runs.
"""

import html
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from emulator.protocol import SlackMessage

REFRESH_S: Final = 3
SHOWN_MAX: Final = 200

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Slack: {total} messages</title>
<meta http-equiv="refresh" content="{refresh_s}"><style>
body {{ font: 15px/1.45 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem }}
article {{ border-left: 4px solid #ccc; padding: .2rem 1rem; margin: 1.2rem 0 }}
h2 {{ font-size: 1.05rem; margin: .3rem 0 }}
p {{ margin: .5rem 0; white-space: pre-wrap; overflow-wrap: anywhere }}
small, .context {{ color: #616061 }} .fields {{ display: grid; grid-template-columns: 1fr 1fr; gap: 0 1rem }}
.button {{ border: 1px solid #aaa; border-radius: .3rem; padding: .1rem .5rem; margin-right: .5rem }}
details {{ margin: .3rem 0 .3rem .5rem }} nav a {{ margin-right: 1rem }}
</style></head><body><h1>Slack stand-in</h1><nav>{channels}</nav><p>{total} messages, the newest first.</p>
{messages}</body></html>
"""


def response(received: Iterable[SlackMessage], *, channel: str | None = None) -> web.Response:
    """The page of `SHOWN_MAX` messages of one channel, or of all, newest first."""
    posted: dict[tuple[str, str], SlackMessage] = {}
    latest: dict[tuple[str, str], SlackMessage] = {}
    for message in received:
        posted.setdefault((message.channel, message.ts), message)
        latest[message.channel, message.ts] = message
    by_channel = Counter(name for name, _ in posted)
    threads: dict[tuple[str, str], list[str]] = {}
    for key, message in posted.items():
        if message.thread_ts:
            threads.setdefault((message.channel, message.thread_ts), []).append(
                _article(message, latest[key])
            )
    shown = [
        (key, message)
        for key, message in posted.items()
        if not message.thread_ts and channel in (None, message.channel)
    ]
    articles = "".join(
        _article(message, latest[key], threads.get(key, ())) for key, message in reversed(shown[-SHOWN_MAX:])
    )
    return web.Response(
        text=_PAGE.format(
            total=len(shown), refresh_s=REFRESH_S, messages=articles, channels=_channels(by_channel)
        ),
        content_type="text/html",
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
    )


def _channels(counts: Counter[str]) -> str:
    links = [f'<a href="/">all channels ({counts.total()})</a>']
    links += [
        f'<a href="/?channel={quote(name, safe="")}">#{html.escape(name)} ({count})</a>'
        for name, count in sorted(counts.items())
    ]
    return "".join(links)


def _article(posted: SlackMessage, latest: SlackMessage, thread: Sequence[str] = ()) -> str:
    edited = f" · edited {_clock(latest)}" if latest.edited else ""
    where = html.escape(f"#{posted.channel} · {_clock(posted)} · from {latest.region}{edited}")
    blocks = latest.payload.get("blocks") or []
    body = (
        "".join(_block(block) for block in blocks) or f"<p>{html.escape(str(latest.payload.get('text')))}</p>"
    )
    replies = (
        f"<details open><summary>Thread: {len(thread)}</summary>{''.join(thread)}</details>" if thread else ""
    )
    return f"<article><small>{where}</small>{body}{replies}</article>"


def _clock(message: SlackMessage) -> str:
    return time.strftime("%H:%M:%S", time.localtime(message.received_at_ms / 1000))


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
    texts = [_text(e.get("text", "")) for e in block["elements"] if isinstance(e, dict)]
    if kind == "actions":
        return "<p>" + "".join(f'<span class="button">{text}</span>' for text in texts) + "</p>"
    return f'<p class="context">{" · ".join(texts)}</p>'


def _text(value: Any) -> str:
    return html.escape(str(value.get("text", "") if isinstance(value, dict) else value))
