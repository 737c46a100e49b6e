"""Values of a sender's fields, made text where they are something else: no reason to lose an alert."""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from handlers.domain.alert import LinkKind
from handlers.domain.limits import MAX_TITLE_CHARS
from handlers.domain.text import inert

_NO_ID: Final = frozenset({"", "null", "none", "nil", "undefined", "na", "novalue"})
"""What templates and languages write where they have no value, but for what is no letter or digit."""

_UNFILLED: Final = re.compile(r"\{\{.*\}\}|\$\{.*\}", re.DOTALL)
"""A place in a template that nobody filled in."""

_NUMBER: Final = re.compile(r"\d{1,25}(?:\.\d{1,25})?")
_MAX_EPOCH_S: Final = 1e11
_SMALLER_UNITS: Final = ("milliseconds", "microseconds", "nanoseconds")

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


def present(texts: Mapping[str, str | None]) -> dict[str, str]:
    """Those that there are."""
    return {name: text for name, text in texts.items() if text}


def lines_of(texts: Iterable[str | None]) -> str:
    """Those that there are, a line each."""
    return "\n".join(text for text in texts if text)


def all_text(value: Any) -> bool:
    """Whether a field's value, or each value of an object, is text or nothing."""
    values = value.values() if isinstance(value, Mapping) else (value,)
    return all(part is None or isinstance(part, str) for part in values)


def time_of(value: Any) -> str | None:
    """A time as it is, a number since the epoch as ISO 8601; None for what is none of both.

    Seconds, milliseconds, microseconds or nanoseconds, by how large it is: what is told apart are years
    between 1973 and 5138 of each.
    """
    if isinstance(value, str):
        text = id_of(value)
        if text is None or not _NUMBER.fullmatch(text):
            return text
        value = float(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return None
    try:
        for _ in _SMALLER_UNITS:
            value = value if value < _MAX_EPOCH_S else value / 1000
        at = datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
    except (OverflowError, ValueError, OSError):
        return None
    return at.isoformat(timespec="milliseconds") + "Z"


def pairs_of(value: Any) -> dict[str, str]:
    """Names and values of a list of pairs, as texts; an object's, if it is one."""
    if not isinstance(value, list):
        return texts_of(value)
    pairs = [part for part in value if isinstance(part, list) and len(part) == 2]  # noqa: PLR2004 - a pair
    return {name: text for part in pairs if (name := text_of(part[0])) and (text := text_of(part[1]))}


class Fields:
    """An object of a body, read field by field. What is missing or of the wrong kind is noted by its path.

    `values`: the object, empty where there is none. Those that were read from one body share their notes.
    """

    def __init__(self, value: Any, path: str = "", gaps: list[str] | None = None) -> None:
        """`path` names the object in notes, with a dot at its end."""
        self.values: dict[str, Any] = value if isinstance(value, dict) else {}
        self._path = path
        self._gaps: list[str] = [] if gaps is None else gaps

    @property
    def mended(self) -> tuple[str, ...]:
        """The notes so far."""
        return tuple(self._gaps)

    def inner(self, name: str) -> "Fields":
        """The object in a field."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, dict):
            self._note(name, "is no object")
        return Fields(value, f"{self._path}{name}.", self._gaps)

    def inners(self, name: str) -> list["Fields"]:
        """The objects of a list in a field."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, list):
            self._note(name, "is no list")
            return []
        return [
            Fields(part, f"{self._path}{name}[].", self._gaps)
            for part in value or []
            if isinstance(part, dict)
        ]

    def text(self, *names: str, needed: bool = False) -> str | None:
        """The first of these fields that has a text, a number or a flag, as text; noted if `needed`."""
        for name in names:
            value = self.values.get(name)
            if isinstance(value, dict | list):
                self._note(name, "is no text")
            elif (text := text_of(value)) and text.strip():
                return text
        if needed:
            self._note(names[0], "is missing")
        return None

    def id(self, *names: str) -> str | None:
        """The first of these fields that can be an id (see `id_of`). The others stand in, which is noted."""
        found = [id_of(self.values.get(name)) for name in names]
        if found[0] is None:
            self._note(names[0], "is missing")
        return next((text for text in found if text), None)

    def time(self, *names: str, needed: bool = False) -> str | None:
        """The first of these fields that has a time, numbers of any epoch unit as ISO 8601."""
        text = next((text for name in names if (text := time_of(self.values.get(name)))), None)
        if text is None and needed:
            self._note(names[0], "is missing")
        return text

    def title(self, *names: str, stand_in: str) -> str:
        """The first of these fields that people can read, else `stand_in`, which is noted."""
        for name in names:
            text = self.text(name)
            if text and inert(text[:MAX_TITLE_CHARS], one_line=True):
                return text
        self._note(names[0], "is missing")
        return stand_in

    def _note(self, name: str, fault: str) -> None:
        note = f"{self._path}{name} {fault}"
        if note not in self._gaps:
            self._gaps.append(note)
