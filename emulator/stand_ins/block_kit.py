"""Slack's rules for a message's JSON, as far as incoming webhooks enforce them.

Limits: https://docs.slack.dev/reference/block-kit/blocks (each block's page) and
https://docs.slack.dev/reference/block-kit/block-elements/button-element, read in November 2026. What Slack
takes for a URL it does not say: here it is one that a browser could open.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

BLOCKS_MAX: Final = 50
BLOCK_ID_CHARS: Final = 255
SECTION_TEXT_CHARS: Final = 3_000
SECTION_FIELDS_MAX: Final = 10
SECTION_FIELD_CHARS: Final = 2_000
HEADER_CHARS: Final = 150
CONTEXT_ELEMENTS_MAX: Final = 10
ACTION_ELEMENTS_MAX: Final = 25
BUTTON_TEXT_CHARS: Final = 75
BUTTON_CHARS: Final = {"action_id": 255, "url": 3_000, "value": 2_000}
BUTTON_STYLES: Final = frozenset({None, "primary", "danger"})
HOST_CHARS: Final = 253
MESSAGE_CHARS: Final = 12_000
"""Of the texts of all blocks, as Slack's maintainers tell; the blocks' form counts too, nobody tells how.
https://github.com/slackapi/bolt-js/issues/2509"""

TEXT_CHARS: Final = 40_000
"""Of the top-level `text`. https://docs.slack.dev/reference/methods/chat.postMessage (truncating content)"""


_HOST_LABEL: Final = re.compile(r"[^\W_](?:[\w-]{0,61}[^\W_])?|_[\w-]{0,62}").fullmatch
"""A part of a host's name. DNS allows the underscore, and containers are often named with one."""


class RejectedError(Exception):
    """Slack would answer 400; `code` is the body that it would send."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep Slack's word apart from ours."""
        self.code = code
        super().__init__(f"{code}: {reason}")


def checked(body: bytes) -> dict[str, Any]:
    """The message in `body`, if Slack would post it.

    Raises:
        RejectedError: with `invalid_payload`, `no_text`, `invalid_blocks` or `msg_blocks_too_long`.
    """
    try:
        payload = json.loads(body)
        json.dumps(payload, ensure_ascii=False).encode()  # fails on half a surrogate pair, which is no text
    except (ValueError, RecursionError) as error:
        raise RejectedError("invalid_payload", "the body is not JSON") from error
    if not isinstance(payload, dict):
        raise RejectedError("invalid_payload", f"a JSON object is needed, not {type(payload).__name__}")
    text, blocks = payload.get("text"), payload.get("blocks")
    if not (text.strip() if isinstance(text, str) else text) and not blocks:
        raise RejectedError("no_text", "a message needs text or blocks")
    if text is not None and not (isinstance(text, str) and len(text) <= TEXT_CHARS):
        raise RejectedError("invalid_payload", f"text is a string of at most {TEXT_CHARS} characters")
    if blocks is not None:
        _check_blocks(blocks)
    return payload


def _check_blocks(blocks: Any) -> None:
    if not isinstance(blocks, list) or len(blocks) > BLOCKS_MAX:
        raise RejectedError("invalid_blocks", f"blocks is a list of at most {BLOCKS_MAX}")
    block_ids: set[str] = set()
    for index, block in enumerate(blocks):
        kind = block.get("type") if isinstance(block, dict) else None
        if kind not in _CHECKS:
            raise _wrong(index, f"type {kind!r} is not one of {', '.join(sorted(_CHECKS))}")
        block_id = block.get("block_id")
        if block_id is not None:
            if not isinstance(block_id, str) or not 0 < len(block_id) <= BLOCK_ID_CHARS:
                raise _wrong(index, f"block_id is a string of 1 to {BLOCK_ID_CHARS} characters")
            if block_id in block_ids:
                raise _wrong(index, f"block_id {block_id!r} is there twice")
            block_ids.add(block_id)
        problem = _CHECKS[kind](block)
        if problem:
            raise _wrong(index, problem)
    if _text_chars(blocks) > MESSAGE_CHARS:
        raise RejectedError("msg_blocks_too_long", f"blocks have at most {MESSAGE_CHARS} characters of text")


def _text_chars(part: Any) -> int:
    if isinstance(part, list):
        return sum(map(_text_chars, part))
    if not isinstance(part, dict):
        return 0
    text = part.get("text")
    return len(text) if isinstance(text, str) else sum(map(_text_chars, part.values()))


def _header(block: Mapping[str, Any]) -> str | None:
    return _text(block.get("text"), HEADER_CHARS, ("plain_text",))


def _section(block: Mapping[str, Any]) -> str | None:
    text, fields = block.get("text"), block.get("fields")
    if text is None and not fields:
        return "a section needs text or fields"
    if text is not None and (problem := _text(text, SECTION_TEXT_CHARS)):
        return problem
    if fields is None:
        return None
    if not isinstance(fields, list) or not 0 < len(fields) <= SECTION_FIELDS_MAX:
        return f"fields is a list of 1 to {SECTION_FIELDS_MAX}"
    return next((p for p in (_text(field, SECTION_FIELD_CHARS) for field in fields) if p), None)


def _context(block: Mapping[str, Any]) -> str | None:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 0 < len(elements) <= CONTEXT_ELEMENTS_MAX:
        return f"elements is a list of 1 to {CONTEXT_ELEMENTS_MAX}"
    texts = [e for e in elements if not (isinstance(e, dict) and e.get("type") == "image")]
    return next((p for p in (_text(text, SECTION_TEXT_CHARS) for text in texts) if p), None)


def _actions(block: Mapping[str, Any]) -> str | None:
    elements = block.get("elements")
    if not isinstance(elements, list) or not 0 < len(elements) <= ACTION_ELEMENTS_MAX:
        return f"elements is a list of 1 to {ACTION_ELEMENTS_MAX}"
    action_ids: set[str] = set()
    for element in elements:
        if problem := _button(element):
            return problem
        action_id = element.get("action_id")
        if action_id in action_ids:
            return f"action_id {action_id!r} is there twice"
        if action_id is not None:
            action_ids.add(action_id)
    return None


def _button(element: Any) -> str | None:
    """The only element that this project posts; another one is refused."""
    if not isinstance(element, dict) or element.get("type") != "button":
        return "an element of type button is needed"
    if problem := _text(element.get("text"), BUTTON_TEXT_CHARS, ("plain_text",)):
        return problem
    for name, chars_max in BUTTON_CHARS.items():
        value = element.get(name)
        if value is not None and not (isinstance(value, str) and 0 < len(value) <= chars_max):
            return f"{name} is a string of 1 to {chars_max} characters"
    if element.get("style") not in BUTTON_STYLES:
        return "style is primary or danger"
    url = element.get("url")
    return None if url is None or _is_url(url) else f"url {url!r} is none"


def _is_url(text: str) -> bool:
    """Whether it is a whole http or https address, with a host and a port that can be one."""
    if not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and port != 0 and _is_host(host, bracketed="[" in parts.netloc)


def _is_host(host: str, *, bracketed: bool) -> bool:
    if bracketed:
        try:
            return bool(ipaddress.IPv6Address(host))
        except ValueError:
            return False
    return len(host) <= HOST_CHARS and all(map(_HOST_LABEL, host.removesuffix(".").split(".")))


def _text(value: Any, chars_max: int, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")) -> str | None:
    if not isinstance(value, dict) or value.get("type") not in kinds:
        return f"a text object of type {' or '.join(kinds)} is needed"
    text = value.get("text")
    if not isinstance(text, str) or not 0 < len(text) <= chars_max:
        return f"a text of 1 to {chars_max} characters is needed"
    return None


def _wrong(index: int, problem: str) -> RejectedError:
    return RejectedError("invalid_blocks", f"block {index}: {problem}")


_CHECKS: Final[dict[str, Callable[[Mapping[str, Any]], str | None]]] = {
    "header": _header,
    "section": _section,
    "context": _context,
    "actions": _actions,
    "divider": lambda _: None,
}
"""The block types that this project posts; another one is refused, not waved through."""
