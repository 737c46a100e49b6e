"""Slack's rules for a message's JSON, as far as incoming webhooks enforce them.

Limits: https://docs.slack.dev/reference/block-kit/blocks (each block's page), read in November 2026.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

BLOCKS_MAX: Final = 50
BLOCK_ID_CHARS: Final = 255
SECTION_TEXT_CHARS: Final = 3_000
SECTION_FIELDS_MAX: Final = 10
SECTION_FIELD_CHARS: Final = 2_000
HEADER_CHARS: Final = 150
CONTEXT_ELEMENTS_MAX: Final = 10
ACTION_ELEMENTS_MAX: Final = 25
TEXT_CHARS: Final = 40_000
"""Of the top-level `text`. https://docs.slack.dev/reference/methods/chat.postMessage (truncating content)"""


class RejectedError(Exception):
    """Slack would answer 400; `code` is the body that it would send."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep Slack's word apart from ours."""
        self.code = code
        super().__init__(f"{code}: {reason}")


def checked(body: bytes) -> dict[str, Any]:
    """The message in `body`, if Slack would post it.

    Raises:
        RejectedError: with `invalid_payload`, `no_text` or `invalid_blocks`.
    """
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RejectedError("invalid_payload", "the body is not JSON") from error
    if not isinstance(payload, dict):
        raise RejectedError("invalid_payload", f"a JSON object is needed, not {type(payload).__name__}")
    text, blocks = payload.get("text"), payload.get("blocks")
    if not text and not blocks:
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
    if not isinstance(fields, list) or len(fields) > SECTION_FIELDS_MAX:
        return f"fields is a list of at most {SECTION_FIELDS_MAX}"
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
    return None


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
