"""Filter patterns of log events: terms, phrases and JSON, or a refusal; never a match of everything.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/FilterAndPatternSyntax.html
"""

import json
import operator
import re
from collections.abc import Callable
from typing import Any, Final

from ministack.services import cloudwatch_logs

from emulator.aws.answers import Answer, RefusalError, refused

Matches = Callable[[str], bool]
_Holds = Callable[[Any], bool]

_TERM: Final = re.compile(r'\s*([-?]?)(?:"((?:[^"\\]|\\.)*)"|(\w+))(?=\s|$)')
_TOKEN: Final = re.compile(
    r'\s*(?:(?P<selector>\$(?:\.\w[\w-]*|\[\d+\])+)|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<sign>&&|\|\||!=|<=|>=|[=<>(){}])|(?P<word>[\w.:*+-]+))"
)
_ORDER: Final = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_ABSENT: Final = object()


def install() -> None:
    """Have FilterLogEvents follow its pattern as AWS does, and refuse what is no pattern or unknown here."""
    answer: Callable[[dict[str, Any]], Answer] = cloudwatch_logs._filter_log_events  # noqa: SLF001 - the handler

    def filter_log_events(data: dict[str, Any]) -> Answer:
        try:
            return answer(data)
        except RefusalError as refusal:
            return refused(refusal)

    cloudwatch_logs._compile_filter_pattern = matcher  # noqa: SLF001 - what the handler asks
    cloudwatch_logs._filter_log_events = filter_log_events  # noqa: SLF001 - as above


def matcher(pattern: str) -> Matches:
    """What tells whether the text of a log event matches `pattern`; all of it is case sensitive.

    Raises:
        RefusalError: it is no pattern, or one of a kind that the embedded AWS does not know.
    """
    pattern = (pattern or "").strip()
    return _json_matcher(pattern) if pattern.startswith("{") else _term_matcher(pattern)


def _term_matcher(pattern: str) -> Matches:
    """All terms, none of those behind a minus; or any of those behind a question mark."""
    terms: dict[str, list[str]] = {"": [], "-": [], "?": []}
    at = 0
    while at < len(pattern):
        term = _TERM.match(pattern, at)
        if term is None:
            raise _refusal(pattern)
        sign, phrase, word = term.groups()
        terms[sign].append(re.sub(r"\\(.)", r"\1", phrase) if word is None else word)
        at = term.end()
    if terms["?"] and (terms[""] or terms["-"]):
        raise _refusal(pattern)  # AWS takes it, and passes over the question marks
    return lambda text: (
        all(term in text for term in terms[""])
        and not any(term in text for term in terms["-"])
        and (not terms["?"] or any(term in text for term in terms["?"]))
    )


def _json_matcher(pattern: str) -> Matches:
    holds = _JsonPattern(pattern).read()

    def matches(text: str) -> bool:
        try:
            event = json.loads(text)
        except (ValueError, RecursionError):
            return False
        return isinstance(event, dict | list) and holds(event)

    return matches


class _JsonPattern:
    """Reads `{ ($.a = "x*" || $.b > 3) && $.c NOT EXISTS }`: && binds closer than ||."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while at < len(pattern):
            token = _TOKEN.match(pattern, at)
            if token is None:
                raise _refusal(pattern)
            self._tokens.append((str(token.lastgroup), token[str(token.lastgroup)]))
            at = token.end()

    def read(self) -> _Holds:
        """The whole pattern."""
        self._expect("{")
        holds = self._either()
        self._expect("}")
        if self._tokens:
            raise _refusal(self._pattern)
        return holds

    def _either(self) -> _Holds:
        parts = [self._both()]
        while self._took("||"):
            parts.append(self._both())
        return lambda event: any(part(event) for part in parts)

    def _both(self) -> _Holds:
        parts = [self._one()]
        while self._took("&&"):
            parts.append(self._one())
        return lambda event: all(part(event) for part in parts)

    def _one(self) -> _Holds:
        if self._took("("):
            inner = self._either()
            self._expect(")")
            return inner
        kind, selector = self._next()
        if kind != "selector":
            raise _refusal(self._pattern)
        holds = self._condition()
        return lambda event: holds(_selected(event, selector))

    def _condition(self) -> _Holds:
        _, sign = self._next()
        kind, value = self._next()
        if sign == "NOT" and value == "EXISTS":
            return lambda found: found is _ABSENT
        if sign == "IS" and value in ("NULL", "TRUE", "FALSE"):
            wanted = {"NULL": None, "TRUE": True, "FALSE": False}[value]
            return lambda found: found is wanted
        if kind not in ("text", "word"):
            raise _refusal(self._pattern)
        if sign in ("=", "!="):
            equals = _equals(json.loads(value) if kind == "text" else value, is_text=kind == "text")
            return equals if sign == "=" else lambda found: found is not _ABSENT and not equals(found)
        if sign in _ORDER and kind == "word" and (number := _number(value)) is not None:
            return lambda found: _is_number(found) and _ORDER[sign](found, number)
        raise _refusal(self._pattern)

    def _next(self) -> tuple[str, str]:
        if not self._tokens:
            raise _refusal(self._pattern)
        return self._tokens.pop(0)

    def _took(self, sign: str) -> bool:
        if self._tokens and self._tokens[0] == ("sign", sign):
            self._tokens.pop(0)
            return True
        return False

    def _expect(self, sign: str) -> None:
        if not self._took(sign):
            raise _refusal(self._pattern)


def _selected(event: Any, selector: str) -> Any:
    for name, place in re.findall(r"\.(\w[\w-]*)|\[(\d+)\]", selector):
        if name and isinstance(event, dict) and name in event:
            event = event[name]
        elif place and isinstance(event, list) and int(place) < len(event):
            event = event[int(place)]
        else:
            return _ABSENT
    return event


def _equals(value: str, *, is_text: bool) -> _Holds:
    """A star stands for any text; a number is equal to a number only."""
    number = None if is_text else _number(value)
    if number is not None:
        return lambda found: _is_number(found) and found == number
    shape = re.compile(".*".join(map(re.escape, value.split("*"))), re.DOTALL)
    return lambda found: isinstance(found, str) and shape.fullmatch(found) is not None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _is_number(found: Any) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool)


def _refusal(pattern: str) -> RefusalError:
    return RefusalError("InvalidParameterException", f"Invalid filter pattern: {pattern}")
