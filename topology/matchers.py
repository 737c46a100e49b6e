"""Matchers: which alerts a route, a silence or a heartbeat is about, as configuration and commands say it.

The configuration has them as mappings, a command as words such as `source=grafana` or `label.team=pay*`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import translate
from functools import lru_cache
from re import Pattern
from re import compile as compiled
from shlex import join
from types import MappingProxyType
from typing import Final, Protocol, Self
from unicodedata import normalize

from topology.alerts import RESOLVED_MARK, Severity

MAX_PATTERN_CHARS: Final = 200
MAX_WILDCARDS: Final = 4
"""Of one pattern. However many there are, none is tried twice: `translate` makes atomic groups of them.
https://docs.python.org/3/whatsnew/3.11.html#re"""

MAX_LABELS: Final = 8
MAX_LABEL_CHARS: Final = 256
"""Of a label's name, as `handlers.domain.limits.MAX_NAME_CHARS` has it for a row's."""

_KEPT_PATTERNS: Final = 1_000
_TEXTS: Final = ("source", "service", "title", "host")
_LABEL: Final = "label."
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})

ALLOWED: Final = f"{', '.join(_TEXTS)}, severity, labels"


class Described(Protocol):
    """What a matcher looks at of an alert."""

    @property
    def source(self) -> str:
        """Who sent it."""

    @property
    def component(self) -> str | None:
        """The service that it is about."""

    @property
    def title(self) -> str:
        """What it says."""

    @property
    def host(self) -> str | None:
        """Where it is from."""

    @property
    def severity(self) -> Severity:
        """How bad it is."""

    @property
    def labels(self) -> Mapping[str, str]:
        """The sender's labels."""


@dataclass(frozen=True, kw_only=True)
class Matcher:
    """Matches alerts of which everything holds that it says; what is empty says nothing.

    Texts are patterns: `*` stands for any text, `?` for any character; case does not count, nor does how a
    letter's accents are written. `service` is the alert's component. `severity` names one or more. Labels are
    by their exact names. A resolution's title is matched without the mark that its row begins with.
    """

    source: str = ""
    service: str = ""
    title: str = ""
    host: str = ""
    severity: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=lambda: _NOTHING)

    def matches(self, alert: Described) -> bool:
        """Whether everything holds of `alert`."""
        title = alert.title.removeprefix(RESOLVED_MARK)
        texts = ((self.source, alert.source), (self.service, alert.component), (self.host, alert.host))
        return (
            (not self.severity or alert.severity in self.severity)
            and all(_fits(pattern, text) for pattern, text in (*texts, (self.title, title)))
            and all(_fits(pattern, alert.labels.get(name)) for name, pattern in self.labels.items())
        )

    @property
    def matches_everything(self) -> bool:
        """Whether it says nothing of what an alert is about; each has a source and a title, however long."""
        patterns = [self.service, self.host, *self.labels.values()]
        patterns += [
            pattern.replace("?", "") if "*" in pattern else pattern for pattern in (self.source, self.title)
        ]
        every_severity = not self.severity or set(self.severity) == set(Severity)
        return every_severity and not any(pattern.strip("*") for pattern in patterns)

    def covers(self, other: "Matcher") -> bool:
        """Whether it matches all that `other` does, as far as their patterns show it."""
        texts = [(getattr(self, name), getattr(other, name)) for name in _TEXTS]
        texts += [(pattern, other.labels.get(name, "")) for name, pattern in self.labels.items()]
        severities = set(self.severity or Severity) >= set(other.severity or Severity)
        return severities and all(_is_wider(wide, narrow) for wide, narrow in texts)

    def is_same(self, other: "Matcher") -> bool:
        """Whether both match the same alerts, as far as their patterns show it, however they are written."""
        return self.covers(other) and other.covers(self)

    @property
    def parts(self) -> dict[str, object]:
        """What it says, as a mapping that `parse_matcher` takes."""
        said = {part.name: getattr(self, part.name) for part in fields(self)}
        given = {name: dict(v) if isinstance(v, Mapping) else v for name, v in said.items() if v}
        return {name: list(v) if isinstance(v, tuple) else v for name, v in given.items()}

    def __str__(self) -> str:
        """As words, such as a command takes them from a shell."""
        words = [f"{name}={getattr(self, name)}" for name in _TEXTS if getattr(self, name)]
        words += [f"severity={','.join(self.severity)}"] if self.severity else []
        words += [f"{_LABEL}{name}={pattern}" for name, pattern in self.labels.items()]
        return join(words)

    @classmethod
    def of(cls, parts: Mapping[str, object]) -> Self:
        """Make one of what `parts` gave, which was checked."""
        given = {**parts, "severity": tuple(parts.get("severity", ()))}  # type: ignore[arg-type]  # checked
        return cls(**given)  # type: ignore[arg-type]


def parse_matcher(place: str, raw: object, problems: list[str]) -> Matcher:
    """The matcher that a mapping describes, after adding what is wrong in it to `problems`, by `place`."""
    before = len(problems)
    if not isinstance(raw, Mapping) or not raw:
        problems.append(f"{place}: {str(raw)[:50]!r} is not allowed; allowed: a mapping with {ALLOWED}")
        return Matcher()
    unknown = sorted(str(name) for name in raw.keys() - {*_TEXTS, "severity", "labels"})
    problems += [f"{place}.{name[:50]}: unknown field; allowed: {ALLOWED}" for name in unknown]
    texts = {name: _pattern(f"{place}.{name}", raw[name], problems) for name in _TEXTS if name in raw}
    labels = raw.get("labels", {})
    if not isinstance(labels, Mapping) or len(labels) > MAX_LABELS or not all(map(_is_label, labels)):
        problems.append(f"{place}.labels: allowed: a mapping of at most {MAX_LABELS} labels to patterns")
        labels = {}
    matcher = Matcher(
        **texts,
        severity=_severities(f"{place}.severity", raw.get("severity", ()), problems),
        labels={
            str(name): _pattern(f"{place}.labels.{str(name)[:50]}", pattern, problems)
            for name, pattern in labels.items()
        },
    )
    if matcher.matches_everything and len(problems) == before:
        problems.append(f"{place}: it matches every alert; say what it is about: {ALLOWED}")
    return matcher


def words_to_parts(words: Iterable[str], problems: list[str]) -> dict[str, object]:
    """The mapping that words such as `source=grafana`, `severity=LOW,INFO`, `label.team=pay*` stand for."""
    parts: dict[str, object] = {}
    labels: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        given = labels if name.startswith(_LABEL) else parts
        if not equals or not value or name == "labels":
            problems.append(
                f"{word[:50]!r}: allowed: NAME=PATTERN, with {', '.join(_TEXTS)}, severity, {_LABEL}NAME"
            )
        elif name.removeprefix(_LABEL) in given:
            problems.append(f"{word[:50]!r}: {name[:50]} is given twice; allowed: each name once")
        elif name.startswith(_LABEL):
            labels[name.removeprefix(_LABEL)] = value
        else:
            parts[name] = value.split(",") if name == "severity" else value
    return {**parts, "labels": labels} if labels else parts


def _pattern(place: str, value: object, problems: list[str]) -> str:
    text = value.strip() if isinstance(value, str) else ""
    fits = 0 < len(text) <= MAX_PATTERN_CHARS and text.count("*") <= MAX_WILDCARDS
    if not fits or not text.isprintable():
        problems.append(
            f"{place}: {str(value)[:50]!r} is not allowed; allowed: 1 to {MAX_PATTERN_CHARS} printable "
            f"characters, at most {MAX_WILDCARDS} of them *"
        )
    return text


def _severities(place: str, value: object, problems: list[str]) -> tuple[str, ...]:
    given = [value] if isinstance(value, str) else value
    words = [str(word).upper() for word in given] if isinstance(given, list | tuple) else [""]
    if any(word not in tuple(Severity) for word in words):
        problems.append(f"{place}: {str(value)[:50]!r} is not allowed; allowed: {', '.join(Severity)}")
    return tuple(dict.fromkeys(words))


def _is_label(name: object) -> bool:
    return isinstance(name, str) and 0 < len(name) <= MAX_LABEL_CHARS


def _fits(pattern: str, text: str | None) -> bool:
    return not pattern or _expression(pattern).match(_folded(text or "")) is not None


def _is_wider(wide: str, narrow: str) -> bool:
    """Whether `wide` fits every text that `narrow` fits; no `?` of it stands for a `*`."""
    if not wide.strip("*"):
        return True
    return _expression(wide, any_character="[!*]").match(_folded(narrow)) is not None


@lru_cache(_KEPT_PATTERNS)
def _expression(pattern: str, *, any_character: str = "?") -> Pattern[str]:
    """`[` is no wildcard of ours."""
    return compiled(translate(_folded(pattern).replace("[", "[[]").replace("?", any_character)))


def _folded(text: str) -> str:
    """`text` for a comparison in which case does not count (Unicode 3.13.5, D145)."""
    return normalize("NFC", text.casefold())
