"""From the bytes of a body to alerts, or to a refusal that says what to correct. All input is hostile.

Webhook and SNS both come through `parse_body`. What a body may look like is in `formats`, one module each.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import is_resolution
from handlers.domain.formats import FORMATS, RefusedError
from handlers.domain.limits import MAX_ALERTS_PER_BODY, MAX_BODY_BYTES, MAX_NESTING
from topology.alerts import Severity

_FORBIDDEN: Final = re.compile("[\x00\ud800-\udfff]")
_AT: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `(?P<name>[^`]+)`")


@dataclass(frozen=True)
class ParsedBody:
    """The alerts of one body, one at least, in its order, and the name of its format."""

    format: str
    alerts: tuple[IncomingAlert, ...]


def parse_body(body: bytes) -> ParsedBody:
    """Read one JSON body in whichever format it is.

    Raises:
        RefusedError: saying what is wrong, where, and what to send instead.
    """
    document = _decode(body)
    for spec in FORMATS:
        if spec.recognises(document):
            break
    else:
        raise RefusedError(
            422,
            "unknown_format",
            hint=f"the fields match none of the known formats: {', '.join(f.name for f in FORMATS)}",
        )
    try:
        alerts = spec.parse(document)
    except msgspec.ValidationError as error:
        raise _refusal_of(error) from error
    if not alerts:
        raise RefusedError(422, "no_alerts", hint="the body holds no alert; send at least one")
    if len(alerts) > MAX_ALERTS_PER_BODY:
        raise RefusedError(
            413,
            "too_many_alerts",
            hint=f"the body holds {len(alerts)} alerts; send at most {MAX_ALERTS_PER_BODY} at a time",
        )
    for index, alert in enumerate(alerts):
        if not alert.title.strip():
            raise RefusedError(
                422,
                "missing_field",
                field="title",
                hint=f"alert {index} has no title; name the fault in a few words",
            )
    return ParsedBody(spec.name, tuple(_calm_if_resolved(alert) for alert in alerts))


def _decode(body: bytes) -> dict[str, Any]:
    if not body.strip():
        raise RefusedError(400, "empty_body", hint="send one JSON object")
    if len(body) > MAX_BODY_BYTES:
        raise RefusedError(
            413, "body_too_large", hint=f"the body has {len(body)} bytes; send at most {MAX_BODY_BYTES}"
        )
    try:
        document = msgspec.json.decode(body)
    except RecursionError as error:
        raise _too_deep() from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RefusedError(
            400,
            "not_json",
            hint="send one JSON object in UTF-8, without NaN, Infinity, a byte order mark or lone surrogates",
        ) from error
    if not isinstance(document, dict):
        raise RefusedError(400, "not_an_object", hint="the body must be a JSON object: {...}")
    for path, text in _texts(document):
        if _FORBIDDEN.search(text):
            raise RefusedError(
                400,
                "forbidden_character",
                field=path,
                hint="take NUL characters and lone surrogates out of the text",
            )
    return document


def _texts(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Every key and every string with its path; refuses what is nested too deep."""
    pending: list[tuple[str, int, object]] = [("", 1, document)]
    while pending:
        path, level, value = pending.pop()
        if isinstance(value, str):
            yield path, value
            continue
        if not isinstance(value, dict | list):
            continue
        if level > MAX_NESTING:
            raise _too_deep()
        if isinstance(value, dict):
            for key, child in value.items():
                yield path, key
                pending.append((f"{path}.{key}" if path else key, level + 1, child))
        else:
            pending += [(f"{path}[{index}]", level + 1, child) for index, child in enumerate(value)]


def _too_deep() -> RefusedError:
    return RefusedError(400, "too_deep", hint=f"nest objects and arrays at most {MAX_NESTING} deep")


def _refusal_of(error: msgspec.ValidationError) -> RefusedError:
    """The refusal for msgspec's message, such as: Expected `str`, got `int` - at `$.alerts[0].labels`."""
    text = str(error)
    at, missing = _AT.search(text), _MISSING.search(text)
    path = at["path"].replace("[...]", "") if at else ""
    text = _AT.sub("", text)
    if missing:
        name = missing["name"]
        return RefusedError(
            422,
            "missing_field",
            field=f"{path}.{name}" if path else name,
            hint=f"the field {name!r} is required",
        )
    return RefusedError(422, "invalid_field", field=path or None, hint=text.replace("`", "'"))


def _calm_if_resolved(alert: IncomingAlert) -> IncomingAlert:
    """A resolution asks nobody to act: INFO, and the title says what it is."""
    if not is_resolution(alert.status):
        return alert
    return replace(alert, severity=Severity.INFO, title=f"[RESOLVED] {alert.title}")
