"""One word of a message: what of it is a name, and what a value that the next occurrence has differently.

A word is what stands between blanks. It is judged by its form alone, so the answer is kept for the words that
come again; what its neighbours make of it is said by its kind (see `handlers.domain.signature`).
"""

from functools import lru_cache
from typing import Final

import msgspec

from handlers.domain.signature.forms import (
    ASIDE_TEXT,
    CHAIN,
    MAYBE,
    NUMBER,
    NUMBERED,
    PAIR,
    PAIRED_NUMBER,
    PIECES,
    PLACEHOLDER,
    PROTOCOL,
    PUNCTUATION,
    VALUES,
    compiled,
)
from handlers.domain.signature.vocabulary import (
    ASIDE,
    CODE,
    CODE_ENDINGS,
    CODE_WORDS,
    DAY,
    KEY,
    KINDS,
    MONTH,
    OUTCOME,
    OUTCOMES,
    PLAIN,
    TRUTHS,
    UNIT,
    UNITS,
    VALUE,
    WORD_KEYS,
    ZONE,
)

BLANK: Final = "\x01"
"""Stands for a blank within a quoted value, so that the value is one word."""

_QUOTES: Final = "\"'`"
_MAX_WORD: Final = 256
_MAX_CODE: Final = 16
_MAX_CODE_DIGITS: Final = 5
_MAX_WORD_DIGITS: Final = 4
_CACHED_WORDS: Final = 8_192


class Word(msgspec.Struct, frozen=True, gc=False):
    """`text` with a placeholder for each of `values`, in their order."""

    text: str
    values: tuple[str, ...]
    kind: int


@lru_cache(maxsize=_CACHED_WORDS)
def read_word(word: str) -> Word:
    """What of a word is a name and what a value."""
    if word.isdecimal():
        return Word(PLACEHOLDER, (word,), VALUE)
    if MAYBE.search(word) is None:
        return Word(word, (), _kind(word))
    quick = _numbered(word)
    if quick is not None:
        return quick
    kind = _kind(word)
    if kind in {UNIT, DAY, MONTH, ZONE}:
        return Word(word, (), kind)
    values: list[str] = []
    if len(word) > _MAX_WORD:
        return Word(_masked_long(word, values), tuple(values), PLAIN)
    text = _paired(word, values) if "=" in word or '":' in word else _masked(word, values)
    if len(values) > 1:
        text, values = _chained(text, values)
    if values and text.strip(PUNCTUATION) == PLACEHOLDER.strip(PUNCTUATION):
        kind = ASIDE if text.startswith(ASIDE_TEXT) else VALUE
    return Word(text.replace(BLANK, " "), tuple(value.replace(BLANK, " ") for value in values), kind)


def _numbered(word: str) -> Word | None:
    """A word that is a number, or a name and a number, as most words with values are."""
    number = NUMBER.match(word)
    if number is not None:
        before, value, after = number.groups()
        return Word(
            f"{before}{PLACEHOLDER}{after}", (value,), ASIDE if before == "(" and after[:1] == ")" else VALUE
        )
    number = (PAIRED_NUMBER if "=" in word else PROTOCOL if "HTTP/" in word else NUMBERED).match(word)
    if number is None:
        return None
    before, value, after = number.groups()
    name = before.strip("([{\"'").rstrip("._-=")
    if name.endswith("HTTP/"):
        return Word(f"{before}{PLACEHOLDER}{after}", (value,), CODE)
    return None if _is_code(name, value) else Word(f"{before}{PLACEHOLDER}{after}", (value,), PLAIN)


def _kind(word: str) -> int:
    known = KINDS.get(word.rstrip(":,"))
    if known is not None:
        return known
    if word.rstrip(PUNCTUATION).lower() in UNITS and word[-1] not in _QUOTES:
        return UNIT
    name = word.strip("([{\"'").rstrip(":=#([\"'").lower()
    if name in OUTCOMES:
        return OUTCOME
    if name in CODE_WORDS or name.endswith(CODE_ENDINGS):
        return CODE
    if word.endswith("=") and not word.endswith(("==", "!=", "<=", ">=")):
        return KEY
    return PLAIN


def _is_code(key: str, value: str) -> bool:
    """Whether the value of a key is a name. A number is one of few digits, fewer if the key is of words."""
    name = key.lower()
    is_code = name in CODE_WORDS or name.endswith(CODE_ENDINGS)
    if not is_code and name not in WORD_KEYS:
        return False
    digits = value.removeprefix("-")
    if digits.isdigit():
        return len(digits) <= (_MAX_CODE_DIGITS if is_code else _MAX_WORD_DIGITS)
    return len(value) <= _MAX_CODE and PLACEHOLDER not in value


def _paired(word: str, values: list[str]) -> str:
    """A word of keys and values with placeholders for the latter, which are added to `values`."""
    text, end = "", 0
    for pair in compiled(PAIR).finditer(word):
        key, value = pair.group("key") or pair.group("name"), pair.group("value") or pair.group("said")
        text += _masked(word[end : pair.start()], values)
        end = pair.end()
        if value in TRUTHS or _is_code(key, value):
            text += pair.group()
        elif key.isdigit():
            text += f"{PLACEHOLDER}={PLACEHOLDER}"
            values += key, value
        else:
            text += pair.group().removesuffix(value) + PLACEHOLDER
            values.append(value)
    return text + _masked(word[end:], values)


def _masked_long(word: str, values: list[str]) -> str:
    """A long word piece by piece, as texts without blanks have them; a piece as long is a value."""
    text = ""
    for piece in compiled(PIECES).findall(word):
        if len(piece) > _MAX_WORD:
            text += PLACEHOLDER
            values.append(piece)
        elif piece:
            read = read_word(piece)
            text += read.text
            values += read.values
    return text


def _masked(part: str, values: list[str]) -> str:
    """A part of a word with placeholders for its values, which are added to `values`."""
    text, end = "", 0
    for found in compiled(VALUES).finditer(part):
        if found.lastgroup is None:
            text += part[end : found.start()] + PLACEHOLDER
            values.append(found.group())
            end = found.end()
    return text + part[end:]


def _chained(text: str, values: list[str]) -> tuple[str, list[str]]:
    """Values that only parts of one id, address or list keep apart become one."""
    joined: list[str] = []
    parts: list[str] = []
    end = taken = 0
    for chain in compiled(CHAIN).finditer(text):
        before = text[end : chain.start()].count(PLACEHOLDER)
        joined += values[taken : taken + before]
        taken += before
        between = chain.group().split(PLACEHOLDER)[1:]
        joined.append("".join(value + part for value, part in zip(values[taken:], between, strict=False)))
        taken += len(between)
        parts += text[end : chain.start()], PLACEHOLDER
        end = chain.end()
    return "".join([*parts, text[end:]]), joined + values[taken:]
