"""What of an answer's own words is the alert's all the same, so that another alert must have it too.

An answer can say a value in other words than the alert does: a piece of a name, a name without its hyphens,
1.2 GB for a number of bytes. No slot is found for that, but it must not be shown on another alert.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote

from handlers.domain.delivery.reuse.quotes import FUNCTION_WORDS, is_telling
from handlers.domain.delivery.reuse.seen import WORD, SeenAlert, condensed, fold

_NUMBER: Final = re.compile(
    r"(?<![^\W_])(?:\d{1,3}(?:[,_'\u2019 \u00a0\u202f]\d{3})+(?:\.\d{1,9})?|\d{1,15}(?:\.\d{1,9})?)"
    r"(?=[^\W\d_]{0,5}(?![^\W_]))"
)
"""A number, and a unit behind it."""

_FACTORS: Final = (1, 1e2, 1e3, 1e6, 1e9, 2**10, 2**20, 2**30, 60, 3_600, 86_400)
_SCALES: Final = (*_FACTORS, *(1 / factor for factor in _FACTORS[1:]))
"""From a value to what an answer may make of it: percent, SI and binary prefixes, minutes, hours and days."""

_MAX_NUMBERS: Final = 100
_PIECE_CHARS: Final = 4
_EXACT: Final = 1e-9
_ROUNDED_ZEROS: Final = 2
"""So many at its end make a number one that is rounded: 1200, but not 120."""


class Demands:
    """What other alerts must have to be shown literal text of an answer about one alert."""

    def __init__(self, seen: SeenAlert) -> None:
        """`seen`: the alert that the answer is about."""
        self._seen = seen
        self._names = frozenset(value for value in seen.slots_by_value if WORD.fullmatch(value))
        self._shared = condensed(seen.shared)
        self._joined = sorted(
            value
            for value in {condensed(value) for value in seen.slots_by_value}
            if value not in self._shared and (is_telling(value) or len(value) > _PIECE_CHARS)
        )
        numbers = dict.fromkeys(m[0] for value in seen.slots_by_value for m in _NUMBER.finditer(value))
        self._scaled = sorted(
            (_number(text) * scale, text) for text in [*numbers][:_MAX_NUMBERS] for scale in _SCALES
        )

    def of(self, literals: Sequence[str]) -> list[str]:
        """The demands of a sentence without its quotes, as a template writes them."""
        demands: set[str] = set()
        others = (normalize("NFKC", unquote(literal)) for literal in literals)
        for literal in map(fold, dict.fromkeys([*literals, *others])):
            words = WORD.findall(literal)
            demands.update(f"{{?{word}}}" for word in words if self._is_own(word))
            pieces = {*words, *map("".join, pairwise(words))}
            demands.update(f"{{~{piece}}}" for piece in pieces if self._is_piece(piece))
            demands.update(self._numbers_said_otherwise(literal))
            joined = "".join(words)
            demands.update(f"{{~{value}}}" for value in self._joined if value in joined)
        return sorted(demands)

    def _is_own(self, word: str) -> bool:
        """Whether a word is the alert's and not every alert's of its signature."""
        if word in self._seen.shared_words or (word in FUNCTION_WORDS and word not in self._names):
            return False
        return word in self._seen.words

    def _is_piece(self, text: str) -> bool:
        """Whether letters and digits in a row are so in the alert, whatever stands between them there."""
        return is_telling(text) and text not in self._shared and text in self._seen.condensed

    def _numbers_said_otherwise(self, text: str) -> Iterator[str]:
        """The value that a number of the text may be made of."""
        for match in _NUMBER.finditer(text):
            number = _number(match[0])
            if not number:
                continue
            # 1.2 stands for 1.15 to 1.25, 25,600 for 25,550 to 25,650; a single digit is made of too much.
            _, _, decimals = match[0].partition(".")
            digits = re.sub(r"\D", "", match[0]).lstrip("0")
            zeros = 0 if decimals else len(digits) - len(digits.rstrip("0"))
            rounded = zeros if zeros >= _ROUNDED_ZEROS and len(digits) - zeros > 1 else -len(decimals)
            within = number * _EXACT if len(digits) == 1 else 0.5 * 10**rounded
            at = bisect_left(self._scaled, (number - within, ""))
            if at < len(self._scaled) and self._scaled[at][0] <= number + within:
                yield f"{{~{condensed(self._scaled[at][1])}}}"


def _number(text: str) -> float:
    return float(re.sub(r"[^\d.]", "", text))
