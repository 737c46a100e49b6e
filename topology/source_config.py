"""Sources as a stack's configuration has them: their form, with every problem reported together.

Whether an expression is one that handlers can evaluate is theirs to say (`handlers.domain.configured`).
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from topology.alerts import Severity
from topology.sources import EXPRESSIONS, MAX_SOURCES_CHARS, SourceSpec, encoded_sources

SOURCES_KEY: Final = "sources"
"""Pulumi.yaml does not declare it: what it declares is a text, a number, a truth value or a list of such, and
no mapping. https://github.com/pulumi/pulumi/blob/master/sdk/go/common/workspace/project.json
(simpleConfigType)"""

MAX_SOURCES: Final = 20
MAX_WORDS: Final = 40
MAX_WORD_CHARS: Final = 100
MAX_EXPRESSION_CHARS: Final = 300

_NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_HEADER: Final = re.compile(r"[a-z0-9-]{1,60}(:[\x21-\x7e]([\x20-\x7e]{0,98}[\x21-\x7e])?)?")
_FIELDS: Final = ", ".join((*EXPRESSIONS, "header", "severities", "resolved", "links"))
_SEVERITIES: Final = tuple(str(severity) for severity in Severity)


def parse_sources(raw: object, problems: list[str]) -> tuple[SourceSpec, ...]:
    """The sources of the configuration, by name, after adding what is wrong in them to `problems`.

    One in error comes without that, so that what else is wrong in it is found too.

    `raw` is a mapping, or its JSON text, as Pulumi hands it over; None or empty for no sources.
    """
    report = _Report(problems)
    given = _decoded(raw)
    if not isinstance(given, Mapping):
        report.refuse(SOURCES_KEY, raw, "a mapping of names to sources")
        return ()
    if len(given) > MAX_SOURCES:
        problems.append(f"{SOURCES_KEY}: {len(given)} sources are too many; allowed: at most {MAX_SOURCES}")
        return ()
    sources = [source for name, value in given.items() if (source := _source(str(name), value, report))]
    if (length := len(encoded_sources(sources))) > MAX_SOURCES_CHARS:
        problems.append(
            f"{SOURCES_KEY}: together they take {length} characters of reception's environment; allowed: at "
            f"most {MAX_SOURCES_CHARS}, in which about ten sources have room"
        )
    return tuple(sources)


@dataclass(frozen=True)
class _Report:
    """Where problems are noted, each with its place, the value seen and what is allowed."""

    problems: list[str]

    def refuse(self, place: str, value: object, allowed: str) -> None:
        self.problems.append(f"{place}: {_cut(repr(value))} is not allowed; allowed: {allowed}")

    def unknown(self, place: str, what: str, allowed: str) -> None:
        self.problems.append(f"{place}: unknown {what}; allowed: {allowed}")


def _decoded(raw: object) -> object:
    if raw is None or raw == "":
        return {}
    try:
        return json.loads(raw) if isinstance(raw, str) else raw
    except ValueError:
        return raw


def _source(name: str, value: object, report: _Report) -> SourceSpec | None:
    place = f"{SOURCES_KEY}.{_cut(name)}"
    if not _NAME.fullmatch(name):
        report.refuse(place, name, "a name of up to 40 of a-z, 0-9, - and _, a letter first")
    if not isinstance(value, Mapping):
        report.refuse(place, value, f"a mapping with {_FIELDS}")
        return None
    for key in value.keys() - set(_FIELDS.split(", ")):
        report.unknown(f"{place}.{_cut(str(key))}", "field", _FIELDS)
    if "title" not in value:
        report.problems.append(f"{place}.title: missing; allowed: a JMESPath, or a text as '`\"text\"`'")
    parts: dict[str, object] = {"name": name, "title": ""}
    for key in EXPRESSIONS:
        if key in value:
            parts[key] = _expression(f"{place}.{key}", value[key], report)
    if "header" in value:
        parts["header"] = _header(f"{place}.header", value["header"], report)
    parts["severities"] = _severities(f"{place}.severities", value.get("severities"), report)
    parts["resolved"] = _words(f"{place}.resolved", value.get("resolved"), report)
    parts["links"] = _links(f"{place}.links", value.get("links"), report)
    return SourceSpec.of(parts)


def _expression(place: str, value: object, report: _Report) -> str:
    if isinstance(value, str) and value.strip() and len(value) <= MAX_EXPRESSION_CHARS:
        return value.strip()
    report.refuse(place, value, f"a JMESPath of 1 to {MAX_EXPRESSION_CHARS} characters")
    return ""


def _header(place: str, value: object, report: _Report) -> str:
    name, colon, start = (value if isinstance(value, str) else "").partition(":")
    header = f"{name.strip().lower()}{colon}{start.strip()}"
    if not _HEADER.fullmatch(header):
        report.refuse(place, value, "a header's name, or that and how it begins, as 'user-agent: GoAlert'")
    return header


def _severities(place: str, value: object, report: _Report) -> Mapping[str, str]:
    words: dict[str, str] = {}
    if value is None:
        return words
    if not isinstance(value, Mapping) or len(value) > MAX_WORDS:
        report.refuse(place, value, f"up to {MAX_WORDS} words, each with its severity")
        return words
    for word, severity in value.items():
        text = str(severity).upper()
        if text not in _SEVERITIES or not 0 < len(str(word)) <= MAX_WORD_CHARS:
            report.refuse(f"{place}.{_cut(str(word))}", severity, ", ".join(_SEVERITIES))
        words[str(word).casefold()] = text
    return words


def _words(place: str, value: object, report: _Report) -> tuple[str, ...]:
    if value is None:
        return ()
    given = value if isinstance(value, list | tuple) else [value]
    texts = [word if isinstance(word, str) else json.dumps(word, default=str) for word in given]
    if len(texts) > MAX_WORDS or not all(0 < len(text) <= MAX_WORD_CHARS for text in texts):
        report.refuse(place, value, f"up to {MAX_WORDS} words of at most {MAX_WORD_CHARS} characters")
    return tuple(text.casefold() for text in texts)


def _links(place: str, value: object, report: _Report) -> Mapping[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        report.refuse(place, value, "a JMESPath for each kind of link")
        return {}
    return {
        str(kind): _expression(f"{place}.{_cut(str(kind))}", path, report) for kind, path in value.items()
    }


def _cut(text: str) -> str:
    return text if len(text) <= MAX_WORD_CHARS else f"{text[:MAX_WORD_CHARS]}…"
