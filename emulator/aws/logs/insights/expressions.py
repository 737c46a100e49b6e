"""Expressions of a query, read into functions of a row; of a group of rows where they aggregate."""

import inspect
import math
import operator
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from emulator.aws.answers import RefusalError
from emulator.aws.logs.insights.values import Instant, equal, number, rank, text_of

Evaluate = Callable[[Any], Any]
"""Of a row; of all rows of a group where an expression aggregates."""

_NAME: Final = re.compile(r"\s*(?:`([^`]+)`|(@?[A-Za-z_][\w.@]*))")
_TEXT: Final = re.compile(r"\s*(?:'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\")")
_NUMBER: Final = re.compile(r"\s*(\d+(?:\.\d+)?)")
_REGEX: Final = re.compile(r"\s*/((?:[^/\\]|\\.)*)/(i?)")
_PERIOD: Final = re.compile(r"\s*(\d+)\s*(ms|s|m|h|d)\b")
_PERIOD_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SIGNS: Final = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
}
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "!=": lambda left, right: not equal(left, right),
    "<=": lambda left, right: rank(left) <= rank(right),
    ">=": lambda left, right: rank(left) >= rank(right),
    "=": equal,
    "<": lambda left, right: rank(left) < rank(right),
    ">": lambda left, right: rank(left) > rank(right),
}
_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "abs": lambda value: None if number(value) is None else abs(float(value)),
    "ceil": lambda value: None if number(value) is None else math.ceil(float(value)),
    "coalesce": lambda *values: next((value for value in values if value is not None), None),
    "floor": lambda value: None if number(value) is None else math.floor(float(value)),
    "ispresent": lambda value: value is not None,
    "strcontains": lambda text, part: text is not None and text_of(part) in text_of(text),
    "strlen": lambda text: None if text is None else len(text_of(text)),
    "toMillis": lambda value: int(value) if isinstance(value, Instant) else None,
    "tolower": lambda text: None if text is None else text_of(text).lower(),
    "toupper": lambda text: None if text is None else text_of(text).upper(),
}
_AGGREGATES: Final[dict[str, Callable[[Sequence[Any]], Any]]] = {
    "count": len,
    "count_distinct": lambda values: len({rank(value) for value in values}),
    "sum": lambda values: sum(_numbers(values)),
    "avg": lambda values: sum(found) / len(found) if (found := _numbers(values)) else None,
    "min": lambda values: min(values, key=rank, default=None),
    "max": lambda values: max(values, key=rank, default=None),
}


class Reader:
    """Reads a query's text from the left. What it cannot read is refused as malformed."""

    def __init__(self, text: str) -> None:
        """Begin at the first character."""
        self._text, self._at = text, 0
        self._aggregates = False

    def took(self, *words: str) -> str:
        """The first of these signs or words that comes next, passed over; "" if none does."""
        for word in words:
            pattern = rf"\s*{re.escape(word)}" + (r"\b" if word[-1].isalpha() else "")
            if found := re.compile(pattern, re.IGNORECASE).match(self._text, self._at):
                self._at = found.end()
                return word
        return ""

    def expect(self, word: str) -> None:
        """Pass over what has to come next."""
        if not self.took(word):
            raise self.refusal(f"expected {word}")

    def ended(self) -> bool:
        """Whether nothing is left."""
        return not self._text[self._at :].strip()

    def refusal(self, why: str) -> RefusalError:
        """What AWS answers."""
        return RefusalError("MalformedQueryException", f"{why} at position {self._at} of: {self._text}")

    def whole_number(self) -> int:
        """A count."""
        return int(self._match(_NUMBER, "expected a number")[1])

    def named(self, *, aggregates: bool = False) -> tuple[str, Evaluate]:
        """An expression and the name of its column: behind `as`, else its own text."""
        self._aggregates = aggregates
        start = self._at
        evaluate = self.expression()
        self._aggregates = False
        name = self._text[start : self._at].strip().strip("`")
        return self._name() if self.took("as") else name, evaluate

    def expression(self) -> Evaluate:
        """`or` binds least, then `and`, `not`, comparisons, sums and products."""
        parts = [self._both()]
        while self.took("or"):
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else lambda row: any(part(row) for part in parts)

    def _both(self) -> Evaluate:
        parts = [self._negated()]
        while self.took("and"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _negated(self) -> Evaluate:
        if self.took("not"):
            inner = self._negated()
            return lambda row: not inner(row)
        return self._comparison()

    def _comparison(self) -> Evaluate:
        left = self._sum()
        before = self._at
        inverted = bool(self.took("not"))
        if self.took("like", "=~"):
            shape = self._shape()
            return lambda row: inverted is not _found(shape, left(row))
        if self.took("in"):
            self.expect("[")
            members = self._arguments("]")
            return lambda row: inverted is not any(equal(left(row), member(row)) for member in members)
        self._at = before if inverted else self._at
        sign = "" if inverted else self.took(*_COMPARISONS)
        if not sign:
            return left
        right, compare = self._sum(), _COMPARISONS[sign]

        def compared(row: Any) -> bool:
            return left(row) is not None and compare(left(row), right(row))

        return compared

    def _sum(self) -> Evaluate:
        return self._chained(self._product, "+", "-")

    def _product(self) -> Evaluate:
        return self._chained(self._single, "*", "/", "%")

    def _chained(self, read: Callable[[], Evaluate], *signs: str) -> Evaluate:
        value = read()
        while sign := self.took(*signs):
            value = _calculated(_SIGNS[sign], value, read())
        return value

    def _single(self) -> Evaluate:
        if self.took("-"):
            return _calculated(operator.sub, lambda _: 0, self._single())
        if self.took("("):
            inner = self.expression()
            self.expect(")")
            return inner
        if found := self._try(_TEXT):
            text = re.sub(r"\\(.)", r"\1", found[1] if found[1] is not None else found[2])
            return lambda _: text
        if found := self._try(_NUMBER):
            value = float(found[1])
            return lambda _: value
        name = self._name()
        if self.took("("):
            return self._called(name)
        if self._aggregates:
            raise self.refusal(f"{name} is in no aggregate")
        return lambda row: row.get(name)

    def _called(self, name: str) -> Evaluate:
        if self._aggregates:
            return self._aggregated(name)
        if name == "bin":
            found = self._match(_PERIOD, "expected a period")
            self.expect(")")
            period_ms = int(found[1]) * _PERIOD_MS[found[2]]
            return lambda row: Instant(row["@timestamp"] // period_ms * period_ms)
        if name not in _FUNCTIONS:
            raise self.refusal(f"unknown function {name}")
        function, arguments = _FUNCTIONS[name], self._arguments(")")
        try:
            inspect.signature(function).bind(*arguments)
        except TypeError as error:
            raise self.refusal(f"{name}: {error}") from error

        def called(row: Any) -> Any:
            return function(*(argument(row) for argument in arguments))

        return called

    def _aggregated(self, name: str) -> Evaluate:
        if name == "count" and (self.took("*)") or self.took(")")):
            return len
        self._aggregates = False
        arguments = self._arguments(")")
        self._aggregates = True
        aggregate = _AGGREGATES.get(name)
        if name == "pct" and len(arguments) == 2:  # noqa: PLR2004 - a value and a percentage
            share = number(arguments[1]({})) or 0.0
            aggregate = lambda values: _percentile(_numbers(values), share)  # noqa: E731 - as those of the table
        elif aggregate is None or len(arguments) != 1:
            raise self.refusal(f"unknown aggregate {name} of {len(arguments)}")
        of_row, function = arguments[0], aggregate
        return lambda rows: function([value for row in rows if (value := of_row(row)) is not None])

    def _arguments(self, end: str) -> list[Evaluate]:
        arguments: list[Evaluate] = []
        while not self.took(end):
            if arguments:
                self.expect(",")
            arguments.append(self.expression())
        return arguments

    def _shape(self) -> re.Pattern[str]:
        if found := self._try(_REGEX):
            try:
                return re.compile(found[1], re.IGNORECASE if found[2] else 0)
            except re.error as error:
                raise self.refusal(f"no regular expression: {error}") from error
        found = self._match(_TEXT, "expected a text or a regular expression")
        return re.compile(re.escape(found[1] if found[1] is not None else found[2]))

    def _name(self) -> str:
        found = self._match(_NAME, "expected a name")
        return found[1] or found[2]

    def _try(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return found

    def _match(self, pattern: re.Pattern[str], otherwise: str) -> re.Match[str]:
        found = self._try(pattern)
        if found is None:
            raise self.refusal(otherwise)
        return found


def _calculated(sign: Callable[[float, float], float], left: Evaluate, right: Evaluate) -> Evaluate:
    def calculated(row: Any) -> float | None:
        first, second = number(left(row)), number(right(row))
        try:
            return None if first is None or second is None else sign(first, second)
        except (ArithmeticError, ValueError):
            return None

    return calculated


def _found(shape: re.Pattern[str], value: Any) -> bool:
    return value is not None and shape.search(text_of(value)) is not None


def _numbers(values: Sequence[Any]) -> list[float]:
    return [found for value in values if (found := number(value)) is not None]


def _percentile(values: Sequence[float], share: float) -> float | None:
    return sorted(values)[min(int(len(values) * share / 100), len(values) - 1)] if values else None
