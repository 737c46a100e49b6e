"""The error signature: what alerts with one cause have in common, the key of the analysis cache.

What varies between two occurrences is a value and has a placeholder; what tells causes apart is a name and
stays: words, and the codes of HTTP, exits, signals, SQLSTATE, errno and messages' catalogues. Each word is
read by its form (`words`) and then by the words beside it. Nothing is learned, so two regions and every
process agree. Host, severity, labels and times play no part. docs/adr/0017 has what was measured.
"""

import hashlib
import re
from collections.abc import Collection
from functools import lru_cache
from itertools import chain
from typing import Final, NamedTuple

from handlers.domain.alert import Alert
from handlers.domain.signature.forms import ASIDE_TEXT, PLACEHOLDER, PUNCTUATION, compiled
from handlers.domain.signature.vocabulary import (
    AFTER_NAME,
    ANSWER,
    ASIDE,
    CODE,
    CODE_PAIRS,
    DAY,
    FAILED,
    KEY,
    MONTH,
    NAMED,
    NO_NAMES,
    OUTCOME,
    PLAIN,
    PURPOSE,
    SECOND,
    TEXT_KEYS,
    TO_CODE,
    TRUTHS,
    UNIT,
    VALUE,
    ZONE,
)
from handlers.domain.signature.words import BLANK, Word, read_word

VERSION: Final = "2"
"""Changes with the rules or the prompt, which leaves older cache entries to expire unread."""

_MAX_CHARS: Final = 4_000
"""Of a message that count: the rest of a long one is usually a stack or a dump."""

_CACHED_MESSAGES: Final = 256
"""Templates kept: in a storm the same message comes again and again."""

_FROM: Final = frozenset(("from", "at", "on"))
_GOES_ON: Final = frozenset((UNIT, MONTH, ZONE, ASIDE))

_MAX_PERIOD: Final = 4
"""Words of a piece that is told over and over, of which one telling counts."""

_QUOTED_VALUE: Final = r'(\w+)="[^"]*"'
_MAIL_REPLY: Final = r"(?<!\S)([245])\d\d[ ]\1\.\d{1,3}\.\d{1,3}(?!\S)"
"""A reply of SMTP and its enhanced code: https://www.rfc-editor.org/rfc/rfc3463#section-2."""
_CODE: Final = (
    r"[\"'(\[#]*(?:-?\d{1,5}|0[xX][0-9a-fA-F]{1,8}|[A-Z][0-9A-Z]{2,3}|[0-9A-Z]{5}|(?<=[\"'])[A-Za-z_.]+)"
    r"[\"')\].,;:!]*$"
)
_HTTP_STATUS: Final = r"[\"'(\[]*[1-5]\d\d[\"')\].,;:!]*$"
_NEGATIVE: Final = r"[(\[]?-\d{1,4}[)\].,;:]*$"
_HARMLESS_STATUS: Final = r"[234]\d\d[,;]?$"
_QUOTED_NAME: Final = r"[\"'][A-Za-z_-]+[\"'][.,;)\]}]*$"


class Template(NamedTuple):
    """A message without its values: `values[i]` is what stands at the i-th placeholder of `text`.

    Messages with equal `text` have equally many values. A value may be several words. What is told of
    many things has the values of all, with blanks between.
    """

    text: str
    values: tuple[str, ...]


@lru_cache(maxsize=_CACHED_MESSAGES)
def template_of(message: str) -> Template:
    """What `message` has in common with other occurrences of its fault, and what it has not."""
    words = _words(message[:_MAX_CHARS])
    reads = [*map(read_word, words)]
    texts: list[str] = []
    values: list[tuple[str, ...]] = []
    seen_at: dict[str, int] = {}
    periods: set[int] = set()
    previous = PLAIN
    for place, read in enumerate(reads):
        text, found, kind = read.text, read.values, read.kind
        if previous > ASIDE and (previous > VALUE or (found if previous < VALUE else kind)):
            if VALUE <= previous <= MONTH and _joins(previous, read, texts[-1]):
                previous = _join(texts, values, read)
                continue
            if found or previous > CODE or words[place] in TO_CODE:
                told = _in_context(previous, words, read, place)
                text, found, kind = told.text, told.values, told.kind
        if found:
            count = len(texts)
            period = count - seen_at.get(text, -_MAX_PERIOD - 1)
            if period <= _MAX_PERIOD and _goes_round(texts, period, reads, place):
                periods.add(period)
            seen_at[text] = count
        texts.append(text)
        values.append(found)
        previous = kind
    if periods:
        _tell_once(texts, values, periods)
    return Template(" ".join(texts), tuple(chain(*values)))


def normalize(message: str) -> str:
    """`message` without what differs between two occurrences of one fault."""
    return template_of(message).text


def error_signature(message: str, *, source: str = "") -> str:
    """The signature of a message: 64 hex digits, the same in every region and process."""
    return _hashed(source, message)


def signature_of(alert: Alert) -> str:
    """The signature of an alert, by its source, component, title and message: 64 hex digits."""
    return _hashed(alert.source, alert.component or "", alert.title, alert.message)


def _hashed(source: str, *texts: str) -> str:
    parts = "\n".join([VERSION, source.replace("\n", " "), *(normalize(text) for text in texts)])
    return hashlib.sha256(parts.encode(errors="surrogatepass")).hexdigest()


def _words(message: str) -> list[str]:
    """The words of a message; a quoted value of a key is one word. Octal quotes are a syslog daemon's."""
    if "\\042" in message:
        message = message.replace("\\042", '"')
    if " 5." in message or " 4." in message:
        message = compiled(_MAIL_REPLY).sub(_one_word, message)
    if '="' in message:
        message = compiled(_QUOTED_VALUE).sub(_one_word, message.replace(BLANK, " "))
    return message.split()


def _one_word(pair: re.Match[str]) -> str:
    return pair.group() if pair.group(1).lower() in TEXT_KEYS else pair.group().replace(" ", BLANK)


def _joins(previous: int, read: Word, before: str) -> bool:
    """Whether a word goes on with the value, or the date, that the text `before` it is."""
    kind = read.kind
    if kind == VALUE and not read.text.startswith(PLACEHOLDER):
        return False
    if previous == VALUE:
        ends = before.rstrip(",;") if kind == VALUE else before
        return ends.endswith(PLACEHOLDER) and (kind == VALUE or kind in _GOES_ON)
    return (previous == DAY and kind in {MONTH, VALUE}) or (previous == MONTH and kind == VALUE)


def _join(texts: list[str], values: list[tuple[str, ...]], read: Word) -> int:
    """Have a word go on with the last one, as one value; returns the kind of both."""
    if not values[-1]:  # a weekday or a month
        texts[-1], values[-1] = PLACEHOLDER, (texts[-1],)
    if read.kind == VALUE:
        said, tail = read.values[0], read.text[len(PLACEHOLDER) :]
    elif read.kind == ASIDE:
        said, tail = f"({''.join(read.values)})", read.text.removeprefix(ASIDE_TEXT).removeprefix("()")
    else:
        said = read.text.rstrip(PUNCTUATION)
        tail = read.text[len(said) :]
    before = texts[-1].rstrip(",;")
    values[-1] = (*values[-1][:-1], f"{values[-1][-1]}{texts[-1].removeprefix(before)} {said}")
    texts[-1] = before + tail
    if len(texts) > 1 and texts[-1].startswith(ASIDE_TEXT) and texts[-2].endswith(PLACEHOLDER):
        aside = values.pop()
        texts[-2:] = [texts[-2] + texts[-1].removeprefix(ASIDE_TEXT)]
        values[-1] = (*values[-1][:-1], f"{values[-1][-1]} ({aside[-1]})")
    return MONTH if read.kind == MONTH else VALUE


def _in_context(previous: int, words: list[str], read: Word, place: int) -> Word:
    """What a word, `read` alone, is after one of kind `previous` and before those that follow."""
    word = words[place]
    following = words[place + 1 : place + 3]
    after = following[0] if following else ""
    if previous == PURPOSE:
        named = after in _FROM and word.isalnum()
        return Word(PLACEHOLDER, (word,), PLAIN) if named else read
    if previous == CODE and word in TO_CODE:
        return Word(word, (), CODE)
    if read.values and (_is_code(previous, word, after, following) or _is_second(previous, words, place)):
        return Word(word, (), CODE if previous == CODE and after.startswith("(") else PLAIN)
    if previous not in {NAMED, KEY}:
        return read
    name = word.strip(PUNCTUATION)
    if previous == NAMED:
        ended = not after or not word[-1].isalnum() or not after[0].isalnum() or after in AFTER_NAME
        named = ended and name.lower() not in NO_NAMES
    else:
        named = "=" not in word and name not in TRUTHS and not read.values
    if named and name:
        return Word(word.replace(name, PLACEHOLDER, 1), (name,), PLAIN)
    return read


def _is_code(previous: int, word: str, after: str, following: list[str]) -> bool:
    """Whether a value is a code, by what is before it; among the measures of a request from 500 on."""
    if previous == CODE:
        measured = after.endswith(":") and len(following) > 1 and following[1][0].isdigit()
        return compiled(_CODE).match(word) is not None and not (
            measured and compiled(_HARMLESS_STATUS).match(word)
        )
    if previous == ANSWER:
        ended = not after or not word[-1].isdigit() or not after[0].islower() or after in AFTER_NAME
        return ended and compiled(_HTTP_STATUS).match(word) is not None
    if previous == OUTCOME:
        return compiled(_QUOTED_NAME).match(word) is not None
    return previous == FAILED and compiled(_NEGATIVE).match(word) is not None


def _is_second(previous: int, words: list[str], place: int) -> bool:
    """Whether a value is a code, as the two words before it announce one."""
    if previous != SECOND:
        return False
    pair = " ".join(words[max(place - 2, 0) : place]).lower().rstrip(":,")
    return pair in CODE_PAIRS and compiled(_CODE).match(words[place]) is not None


def _goes_round(texts: list[str], period: int, reads: list[Word], place: int) -> bool:
    """Whether a word that came a period ago too is beside one that did so: a piece told again, maybe."""
    return (
        period == 1
        or texts[-1] == texts[max(-1 - period, -len(texts))]
        or (place + 1 < len(reads) and reads[place + 1].text == texts[1 - period])
    )


def _tell_once(texts: list[str], values: list[tuple[str, ...]], periods: Collection[int]) -> None:
    """Have what is told of each of many things, one after the other, told once, with the values of all."""
    for period in sorted(periods):
        told: list[str] = []
        held: list[tuple[str, ...]] = []
        for text, found in zip(texts, values, strict=True):
            told.append(text)
            held.append(found)
            if (
                text == told[max(-1 - period, -len(told))]
                and told[-period:] == told[-2 * period : -period]
                and any(held[-period:])
            ):
                head, _, tail = text.partition(PLACEHOLDER)
                between = f"{tail} {head}" if period == 1 and len(found) == 1 else " "
                for place in range(-period, 0):
                    both = zip(held[place - period], held[place], strict=True)
                    held[place - period] = tuple(f"{one}{between}{other}" for one, other in both)
                del told[-period:], held[-period:]
        texts[:], values[:] = told, held
