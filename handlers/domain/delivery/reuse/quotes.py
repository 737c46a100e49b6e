"""Where an answer quotes its alert, and which slots of it are meant.

The longest run of words that both have, in the same order, is a quote; the values in it are slots. What a
value alone could mean by chance (`5`, `web`) is one only where its neighbour or quotation marks show it.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import quote as percent_encoded

from handlers.domain.delivery.reuse.seen import SEVERITY, WORD, Place, SeenAlert, Slot, fold, shape_of

_ENGLISH: Final = (
    "a about after again all also an and any are as at be because been before being both but by can "
    "could did do does each either else every for from had has have if in into is it its last may might "
    "more most must no nor not of off once one only onto or other our over same should since so some "
    "such than that the their them then there these they this those through to too under until was we "
    "were what when where whether which while who why will with within without would you your"
)
FUNCTION_WORDS: Final = frozenset(_ENGLISH.split())
"""English that says nothing of an alert, wherever it stands. As a whole value each is a name all the same."""

_QUOTATION_MARKS: Final = frozenset("\"'`\u201c\u201d\u2018\u2019")
_TELLING_CHARS: Final = 3
_TELLING_DIGITS: Final = 4
_SURE_CONTEXT: Final = 2
"""So many words around a value, found at one place only, say which of several equal values is quoted."""


class Quote(NamedTuple):
    """A span of the answer, and the slots that may be meant by it, as a template writes them."""

    start: int
    end: int
    slots: str


class _Run(NamedTuple):
    """Words of the answer from number `at` that are those of the alert from `place`, `length` of them."""

    at: int
    place: int
    length: int
    alone: bool


def quotes_of(seen: SeenAlert, sentence: str) -> list[Quote]:
    """The quotes in a sentence, in its order. None overlaps another."""
    spans = [match.span() for match in WORD.finditer(sentence)]
    folded = fold(sentence)
    words = [folded[start:end] for start, end in spans]
    quotes: list[Quote] = []
    taken = bytearray(len(words))
    lengths = _run_lengths(seen, words)
    longest_first = sorted((-max(found.values()), at) for at, found in enumerate(lengths) if found)
    for length, at in longest_first:
        if taken[at]:
            continue
        end = taken.find(1, at, at - length)
        runs = _runs(lengths[at], at, (end if end >= 0 else at - length) - at)
        best = max((_quotes_in(run, seen, folded, spans) for run in runs), key=_quoted_chars, default=[])
        if best:
            quotes += best
            taken[at : at + runs[0].length] = b"\1" * runs[0].length
    for number, (start, end) in enumerate(spans):
        if (
            not taken[number]
            and sentence[start:end] == seen.severity
            and words[number] not in seen.shared_words
        ):
            quotes.append(Quote(start, end, SEVERITY))
    return sorted(quotes)


def is_telling(text: str) -> bool:
    """Whether a text is hardly there by chance: `db7`, `x2m9q`, `8080`; not `5` or `web`."""
    if not any(char.isdigit() for char in text):
        return False
    return len(text) >= (_TELLING_DIGITS if text.isdigit() else _TELLING_CHARS)


def _run_lengths(seen: SeenAlert, words: Sequence[str]) -> list[dict[int, int]]:
    """For each word of the answer: how many from there on are those from a place in the alert."""
    lengths: list[dict[int, int]] = []
    after: dict[int, int] = {}
    for word in reversed(words):
        after = {place: after.get(place + 1, 0) + 1 for place in seen.places_of.get(word, ())}
        lengths.append(after)
    lengths.reverse()
    return lengths


def _runs(lengths: dict[int, int], at: int, length: int) -> list[_Run]:
    """The runs of so many words from `at`, where there are any."""
    places = [place for place, run_length in lengths.items() if run_length >= length]
    return [_Run(at, place, length, len(places) == 1) for place in places] if length > 0 else []


def _quoted_chars(quotes: Sequence[Quote]) -> tuple[int, bool]:
    """How much is quoted; a whole value is rather meant than a part of another."""
    return sum(quote.end - quote.start for quote in quotes), not any("/" in quote.slots for quote in quotes)


def _quotes_in(run: _Run, seen: SeenAlert, folded: str, spans: Sequence[tuple[int, int]]) -> list[Quote]:
    """The values in a run of words."""
    quotes: list[Quote] = []
    first = _place(seen, run.place)
    last = run.place + run.length - 1
    slots = first.line.slots_among(run.place, last)
    if not slots:
        return []
    covered = {number for slot in slots for number in range(slot.first, slot.last + 1)}
    context = [
        folded[slice(*spans[run.at + number - run.place])]
        for number in range(run.place, last + 1)
        if number not in covered
    ]
    in_context = any(word not in FUNCTION_WORDS for word in context)
    for slot in slots:
        low, high = max(slot.first, run.place), min(slot.last, last)
        start, end = _span_in_answer(slot, seen, (low, high), run, spans)
        text = _text_of(slot, seen, low, high)
        if folded[start:end] != text or _goes_on(folded, start, end):
            continue
        is_whole = (low, high) == (slot.first, slot.last)
        several = is_whole and high > low
        if not (
            several or in_context or is_telling("".join(WORD.findall(text))) or _is_quoted(folded, start, end)
        ):
            continue
        value = seen.values[slot.name]
        names = seen.slots_by_value[fold(value)]
        if run.alone and len(context) >= _SURE_CONTEXT:
            names = [slot.name]
        part = f"/{low - slot.first}-{high - slot.first}/{percent_encoded(shape_of(value), safe='')}"
        quotes.append(Quote(start, end, "|".join(name if is_whole else name + part for name in names)))
    return quotes


def _span_in_answer(
    slot: Slot, seen: SeenAlert, words: tuple[int, int], run: _Run, spans: Sequence[tuple[int, int]]
) -> tuple[int, int]:
    """Where the words of a slot, by their numbers in the alert, are in the answer."""
    low, high = words
    first, last = _place(seen, low), _place(seen, high)
    start, end = spans[run.at + low - run.place][0], spans[run.at + high - run.place][1]
    if low == slot.first:
        start += slot.start - first.start
    if high == slot.last:
        end += slot.end - last.end
    return max(start, 0), end


def _text_of(slot: Slot, seen: SeenAlert, low: int, high: int) -> str:
    first, last = _place(seen, low), _place(seen, high)
    start = slot.start if low == slot.first else first.start
    return first.line.text[start : slot.end if high == slot.last else last.end]


def _place(seen: SeenAlert, number: int) -> Place:
    place = seen.places[number]
    if place is None:
        raise IndexError(f"{number} is between two lines")
    return place


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether a number goes on beyond the span: `12` in `12.5` is another number."""
    after = text[end : end + 2]
    before = text[max(start - 2, 0) : start]
    return (text[end - 1].isdigit() and after[:1] in (".", ",") and after[1:].isdigit()) or (
        text[start].isdigit() and before[1:] in (".", ",") and before[:1].isdigit()
    )


def _is_quoted(text: str, start: int, end: int) -> bool:
    return text[start - 1 : start] in _QUOTATION_MARKS and text[end : end + 1] in _QUOTATION_MARKS
