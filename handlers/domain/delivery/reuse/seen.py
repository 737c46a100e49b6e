"""What the model saw of one alert, word by word: which of it is the alert's own, and where that stands.

Alerts of one signature share the text around their values and have equally many of these, so the i-th value
of a text is a *slot* that every one of them fills in its own way; host, severity and labels are slots too.
"""

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Final, NamedTuple
from urllib.parse import quote

from handlers.domain.alert import Alert
from handlers.domain.delivery.prompt import shown_of
from handlers.domain.limits import MAX_NAME_CHARS
from handlers.domain.signature import template_of
from handlers.domain.signature.forms import PLACEHOLDER
from handlers.domain.text import inert

WORD: Final = re.compile(r"[^\W_]+")
SEVERITY: Final = "severity"
HOST: Final = "host"

_PARTS: Final = ("source", "component", "title", "message")
_EDGES: Final = " \t\"'`<>()[]{}/\\,;:=.!?\u201c\u201d\u2018\u2019"
"""What a value may be surrounded with and an answer leave out. A sign belongs to the value."""

_MAX_SLOTS: Final = 256
"""Of one text. What has no slot is still known as the alert's own."""

_MAX_LABEL_NAME_CHARS: Final = 64
_MAX_PLACES: Final = 8
"""At which a word is looked for: it bounds what a text of one word many times can cost."""


class Slot(NamedTuple):
    """A value in a line: its span there, and its first and last word by number in `SeenAlert.places`."""

    name: str
    start: int
    end: int
    first: int
    last: int


class Line(NamedTuple):
    """A text of the alert, folded, with the slots in it, in order."""

    text: str
    slots: tuple[Slot, ...]

    def slots_among(self, first: int, last: int) -> tuple[Slot, ...]:
        """Those with a word among the words `first` to `last`, by number."""
        start = bisect_left(self.slots, first, key=lambda slot: slot.last)
        return self.slots[start : bisect_right(self.slots, last, lo=start, key=lambda slot: slot.first)]


class Place(NamedTuple):
    """One word of a line."""

    line: Line
    start: int
    end: int


class SeenAlert:
    """An alert's words, values and slots, as far as the model is shown them."""

    def __init__(self, alert: Alert) -> None:
        """It takes time in proportion to the length of what is shown.

        What is redacted is no value. An e-mail address is one, since stacks may have the model see them;
        messages to Slack are redacted after it was filled in.
        """
        shown = shown_of(alert, emails=False)
        texts = {part: getattr(shown, part) for part in _PARTS}
        self.severity = shown.severity
        self.values: dict[str, str] = {}
        """By slot: what the model was shown as it is."""
        self.places: list[Place | None] = []
        """Each word of each line in order; None between two lines."""
        shown_texts = (*texts.values(), shown.host, *shown.labels, *shown.labels.values())
        self.folded = fold("\n".join(shown_texts))
        literals = [self._read(part, getattr(alert, part) or "", shown=text) for part, text in texts.items()]
        self.shared = "\n".join(literals)
        """What every alert of this signature has, folded."""
        if shown.host == alert.host:
            self._add_named(HOST, shown.host, "host {} host")
        for name, text in shown.labels.items():
            if alert.labels.get(name) == text and len(name) <= _MAX_LABEL_NAME_CHARS:
                around = name.replace("{", " ").replace("}", " ")
                self._add_named(f"label:{quote(name, safe='')}", text, f"{around} {{}} {around}")
        self.slots_by_value: dict[str, list[str]] = defaultdict(list)
        for slot, value in self.values.items():
            self.slots_by_value[fold(value)].append(slot)

    @cached_property
    def words(self) -> frozenset[str]:
        """All that are shown."""
        return frozenset(WORD.findall(self.folded))

    @cached_property
    def shared_words(self) -> frozenset[str]:
        """Those between the values."""
        return frozenset(WORD.findall(self.shared))

    @cached_property
    def condensed(self) -> str:
        """The letters and digits of what is shown."""
        return condensed(self.folded)

    @cached_property
    def places_of(self) -> Mapping[str, Sequence[int]]:
        """By word: the numbers of the first of its places."""
        places_of: dict[str, list[int]] = defaultdict(list)
        for number, place in enumerate(self.places):
            if place is not None:
                places = places_of[place.line.text[place.start : place.end]]
                if len(places) < _MAX_PLACES:
                    places.append(number)
        return places_of

    def _read(self, part: str, text: str, *, shown: str) -> str:
        """Find the values of a text of the signature; what is between them."""
        template = template_of(text)
        shown = " ".join(shown.split())
        literals = fold(template.text).split(PLACEHOLDER)
        aligned = len(literals) == len(template.values) + 1
        whole, spans = "", []
        for number, value in enumerate(template.values):
            left = value.lstrip(_EDGES)
            whole += (literals[number] if aligned else "\n") + value[: len(value) - len(left)]
            core = _as_shown(left.rstrip(_EDGES), shown) if number < _MAX_SLOTS else ""
            if core:
                name = f"{part}.{number}"
                self.values[name] = core
                spans.append((name, len(whole), len(whole) + len(core)))
            whole += fold(core) + (left[len(left.rstrip(_EDGES)) :] if core else fold(left))
        whole += literals[-1] if aligned else ""
        self._add_line(whole, spans)
        return "\n".join(literals)

    def _add_named(self, name: str, value: str, around: str) -> None:
        """A value that has a name: it may stand behind or before that in an answer."""
        core = value.strip(_EDGES)
        if not core:
            return
        self.values[name] = core
        before, _, after = around.partition("{}")
        self._add_line(fold(before + core + after), [(name, len(before), len(before) + len(core))])

    def _add_line(self, text: str, spans: Sequence[tuple[str, int, int]]) -> None:
        first_number = len(self.places)
        words = [(match.start(), match.end()) for match in WORD.finditer(text)]
        slots = []
        at = 0
        for name, start, end in spans:
            while at < len(words) and words[at][1] <= start:
                at += 1
            last = at
            while last + 1 < len(words) and words[last + 1][0] < end:
                last += 1
            if at < len(words) and words[at][0] < end:
                slots.append(Slot(name, start, end, first_number + at, first_number + last))
        line = Line(text, tuple(slots))
        self.places += [Place(line, *span) for span in words]
        self.places.append(None)


def _as_shown(value: str, shown: str) -> str:
    """A value as the text that is shown has it; else empty."""
    value = inert(value, one_line=True)
    return value if value in shown and len(value) <= MAX_NAME_CHARS else ""


def fold(text: str) -> str:
    """`text` in lower case, each character in its place."""
    folded = text.lower()
    if len(folded) == len(text):
        return folded
    return "".join(char.lower() if len(char.lower()) == 1 else char for char in text)


def condensed(text: str) -> str:
    """The letters and digits of a text."""
    return "".join(WORD.findall(text))


def shape_of(value: str) -> str:
    """A value with the same letter for each of its words: `w-w.w` for `db-7.lan`."""
    return WORD.sub("w", value)


def part_of(value: str, first: int, last: int) -> str | None:
    """A value from one of its words to another, both by number; None if it has not so many."""
    spans = [match.span() for match in WORD.finditer(value)][first : last + 1]
    return value[spans[0][0] : spans[-1][1]] if len(spans) == last + 1 - first else None
