"""A value that fits a JSON schema and reads like an analysis of the alert it was made for.

The stand-in for Claude answers structured-output requests with it. It knows JSON Schema's words and a few
names of fields, not this project's schema, so a schema that changes is still answered in its new shape. As a
model does, it quotes the alert: where it is, what it is labelled with, what its message says.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

DEPTH_MAX: Final = 16
LIST_ITEMS: Final = 2
LIST_ITEMS_MAX: Final = 100
TITLE_CHARS: Final = 160
QUOTED_WORDS: Final = 12

_PHRASES: Final = (
    ("summar", "{title}: the affected component{place} is degraded and needs attention."),
    (
        "cause",
        "The pattern of “{title}” points to resource exhaustion after a recent change.{words}",
    ),
    ("impact", "Requests that depend on the component may be slow or fail."),
)
_STEPS: Final = (
    "Compare the start of the alert with the latest deployment{label}; roll back if they agree.",
    "Look at the saturation of the component{place}: connections, memory, disk, queue depth.",
)
"""Items of a list of texts, in turn."""

_PLACES: Final = ("host", "hostname", "instance", "node")
_TEXTS: Final = ("message", "description")

_OTHERWISE: Final = "{name} of “{title}”"
_TITLE_IN_JSON = re.compile(r'"title"\s*:\s*"((?:[^"\\]|\\.)+)"')
_TITLE_LINE = re.compile(r'(?im)^[^\w\n]*title[^\w\n]*[:=]\s*"?(.+?)"?,?\s*$')


class SchemaError(Exception):
    """The schema asks for something that this module cannot make."""


def title_of(prompt: str) -> str:
    """The alert's title as the prompt gives it, or the prompt's first line, cut to `TITLE_CHARS`."""
    title = _object_in(prompt).get("title")
    if isinstance(title, str) and title:
        return title[:TITLE_CHARS]
    match = _TITLE_IN_JSON.search(prompt) or _TITLE_LINE.search(prompt)
    first = next((line.strip() for line in prompt.splitlines() if line.strip()), "an alert without text")
    return (match[1] if match else first)[:TITLE_CHARS]


def _object_in(prompt: str) -> dict[str, Any]:
    """The prompt as a JSON object; an empty one where it is none."""
    try:
        value = json.loads(prompt)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _quotes_of(prompt: str) -> dict[str, str]:
    """What an answer says of the alert, by the names in the phrases; nothing for what the prompt has not."""
    alert = _object_in(prompt)
    place = next((alert[name] for name in _PLACES if isinstance(alert.get(name), str)), "")
    text = next((alert[name] for name in _TEXTS if isinstance(alert.get(name), str)), "")
    nested = next((value for value in alert.values() if isinstance(value, dict) and value), {})
    name, value = next(iter(nested.items()), ("", ""))
    words = " ".join(text.split()[:QUOTED_WORDS])
    return {
        "title": title_of(prompt),
        "place": f" on {place}" if place else "",
        "words": f" Its message says “{words}”." if words else "",
        "label": f" of {name} {value}" if name else "",
    }


def sample(schema: Mapping[str, Any], prompt: str) -> Any:
    """A value for `schema`, the same one for the same prompt.

    Raises:
        SchemaError: a `$ref` that leads nowhere, a type that JSON has not, or nesting over `DEPTH_MAX`.
    """
    return _Sampler(schema, prompt).value(schema, name="", depth=0)


class _Sampler:
    def __init__(self, root: Mapping[str, Any], prompt: str) -> None:
        self._root = root
        self._prompt = prompt.casefold()
        self._quotes = _quotes_of(prompt)

    def value(self, schema: Mapping[str, Any], *, name: str, depth: int) -> Any:
        if depth > DEPTH_MAX:
            raise SchemaError(f"the schema nests deeper than {DEPTH_MAX} at {name!r}")
        if "$ref" in schema:
            return self.value(self._resolve(schema["$ref"]), name=name, depth=depth + 1)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self._choice(schema["enum"])
        for word in ("anyOf", "oneOf", "allOf"):
            if word in schema:
                branches = [branch for branch in schema[word] if branch.get("type") != "null"] or schema[word]
                return self.value(branches[0], name=name, depth=depth + 1)
        return self._of_type(schema, name=name, depth=depth)

    def _of_type(self, schema: Mapping[str, Any], *, name: str, depth: int) -> Any:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        if isinstance(kind, list):
            kind = next((name for name in kind if name != "null"), "null")
        if kind == "object":
            return {
                key: self.value(part, name=key, depth=depth + 1)
                for key, part in schema.get("properties", {}).items()
            }
        if kind == "array":
            count = min(max(LIST_ITEMS, schema.get("minItems", 0)), schema.get("maxItems", LIST_ITEMS_MAX))
            item = schema.get("items", {})
            if item.get("type") == "string" and "enum" not in item:
                steps = [step.format(**self._quotes)[: item.get("maxLength")] for step in _STEPS]
                return [steps[number % len(steps)] for number in range(count)]
            return [self.value(item, name=name, depth=depth + 1) for _ in range(count)]
        if kind == "string":
            return self._phrase(name)[: schema.get("maxLength")]
        if kind in {"number", "integer"}:
            return _number(schema, whole=kind == "integer")
        if kind in {"boolean", "null"}:
            return True if kind == "boolean" else None
        raise SchemaError(f"type {kind!r} at {name!r} is not a JSON type")

    def _choice(self, values: list[Any]) -> Any:
        """The first value that the prompt mentions, else the first."""
        return next((value for value in values if str(value).casefold() in self._prompt), values[0])

    def _phrase(self, name: str) -> str:
        known = (text for part, text in _PHRASES if part in name.casefold())
        return next(known, _OTHERWISE).format(name=name.replace("_", " ") or "value", **self._quotes)

    def _resolve(self, reference: str) -> Mapping[str, Any]:
        place: Any = self._root
        for part in reference.removeprefix("#/").split("/"):
            place = place.get(part) if isinstance(place, Mapping) else None
        if not isinstance(place, Mapping):
            raise SchemaError(f"$ref {reference!r} leads nowhere in the schema")
        return place


def _number(schema: Mapping[str, Any], *, whole: bool) -> int | float:
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and high is None:
        return 1 if whole else 0.7
    bounds = [bound for bound in (low, high) if bound is not None]
    middle = sum(bounds) / len(bounds)
    return int(middle) if whole else middle
