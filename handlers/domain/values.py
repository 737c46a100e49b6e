"""Values of a sender's fields, made text where they are something else: no reason to lose an alert."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from handlers.domain.alert import LinkKind

_NO_ID: Final = frozenset({"", "null", "none", "nil", "undefined", "na", "novalue"})
"""What templates and languages write where they have no value, but for what is no letter or digit."""

_UNFILLED: Final = re.compile(r"\{\{.*\}\}|\$\{.*\}", re.DOTALL)
"""A place in a template that nobody filled in."""

VALUES_AS_TEXT: Final = "values that were no text were made text"
"""How a row says that this was done."""


def text_of(value: Any) -> str | None:
    """A text as it is, anything else as its JSON; None for nothing and for an empty text."""
    if value is None or isinstance(value, str):
        return value or None
    return msgspec.json.encode(value).decode()


def id_of(value: Any) -> str | None:
    """What a sender tells its events apart by; None for what is none, so that no two share it."""
    if isinstance(value, bool) or value in ([], {}):
        return None
    text = text_of(value)
    if not text or _UNFILLED.search(text):
        return None
    return None if "".join(filter(str.isalnum, text.casefold())) in _NO_ID else text


def links_of(
    *, source: Any = None, runbook: Any = None, dashboard: Any = None, silence: Any = None
) -> dict[str, str]:
    """A sender's links by kind, those that it has; whether one leads anywhere is a row's business."""
    links = {
        LinkKind.SOURCE: source,
        LinkKind.RUNBOOK: runbook,
        LinkKind.DASHBOARD: dashboard,
        LinkKind.SILENCE: silence,
    }
    return {kind: text for kind, value in links.items() if (text := text_of(value))}


def texts_of(value: Any) -> dict[str, str]:
    """An object's names and values as text, nothing left out; what is no object has none."""
    if not isinstance(value, Mapping):
        return {}
    return {name: text_of(text) or "" for name, text in value.items() if text is not None}


def all_text(value: Any) -> bool:
    """Whether a field's value, or each value of an object, is text or nothing."""
    values = value.values() if isinstance(value, Mapping) else (value,)
    return all(part is None or isinstance(part, str) for part in values)
