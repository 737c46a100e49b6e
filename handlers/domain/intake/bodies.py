"""From the bytes of a body to alerts, or to a refusal that says what to correct. All input is hostile.

Webhook and SNS both come through `parse_body`. What a body may look like is in `formats`, one module each. A
group is taken member by member: what cannot be taken is named by its index, and costs the others nothing.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import is_resolution
from handlers.domain.formats import FORMATS, Member, RefusedError
from handlers.domain.intake.decoding import decode
from handlers.domain.limits import MAX_ALERTS_PER_BODY
from topology.alerts import Severity

_AT: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `(?P<name>[^`]+)`")
_LISTED: Final = 10
"""Members that an alert about refused ones names; the others it counts."""


@dataclass(frozen=True)
class RefusedMember:
    """A member of a group that cannot be taken: its place among the body's members, from 0, and why."""

    index: int
    error: RefusedError


@dataclass(frozen=True)
class ParsedBody:
    """The alerts of one body, one at least, in its order, the name of its format, and what was refused.

    Where members were refused, the last alert says so: a sender that was answered 202 never sends them again.
    """

    format: str
    alerts: tuple[IncomingAlert, ...]
    refused: tuple[RefusedMember, ...] = ()


def parse_body(body: bytes) -> ParsedBody:
    """Read one JSON body in whichever format it is.

    Raises:
        RefusedError: nothing of it can be taken: what is wrong, where, and what to send instead.
    """
    document, mended = decode(body)
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
        members = spec.parse(document)
    except msgspec.ValidationError as error:
        raise _refusal_of(error) from error
    if not members:
        raise RefusedError(422, "no_alerts", hint="the body holds no alert; send at least one")
    if len(members) > MAX_ALERTS_PER_BODY:
        raise RefusedError(
            413,
            "too_many_alerts",
            hint=f"the body holds {len(members)} alerts; send at most {MAX_ALERTS_PER_BODY} at a time",
        )
    checked = [_checked(member, index) for index, member in enumerate(members)]
    refused = tuple(
        RefusedMember(n, error) for n, error in enumerate(checked) if isinstance(error, RefusedError)
    )
    alerts = [alert for alert in checked if isinstance(alert, IncomingAlert)]
    if not alerts:
        raise refused[0].error
    alerts = [_calm_if_resolved(replace(alert, mended=(*mended, *alert.mended))) for alert in alerts]
    if refused:
        alerts.append(_about(refused, of=len(members), body_format=spec.name))
    return ParsedBody(spec.name, tuple(alerts), refused)


def _refusal_of(error: msgspec.ValidationError) -> RefusedError:
    """The refusal for msgspec's message, such as: Expected `str`, got `int` - at `$.labels`."""
    text = str(error)
    at, missing = _AT.search(text), _MISSING.search(text)
    path = at["path"].replace("[...]", "") if at else ""
    text = _AT.sub("", text)
    name = missing["name"] if missing else ""
    field = ".".join(part for part in (path, name) if part)
    if missing:
        return RefusedError(422, "missing_field", field=field, hint=f"the field {name!r} is required")
    return RefusedError(422, "invalid_field", field=field or None, hint=text.replace("`", "'"))


def _checked(member: Member, index: int) -> Member:
    if isinstance(member, IncomingAlert) and not member.title.strip():
        return RefusedError(
            422,
            "missing_field",
            field="title",
            hint=f"alert {index} has no title; name the fault in a few words",
        )
    return member


def _about(refused: tuple[RefusedMember, ...], *, of: int, body_format: str) -> IncomingAlert:
    """The alert that tells people of members that were not taken: any of them may have been the worst."""
    lines = [f"alert {member.index}: {member.error.hint}" for member in refused[:_LISTED]]
    if len(refused) > _LISTED:
        lines.append(f"and {len(refused) - _LISTED} more")
    return IncomingAlert(
        source=body_format,
        title=f"{len(refused)} of {of} alerts of one body could not be taken",
        severity=Severity.HIGH,
        message="\n".join(lines),
        part=msgspec.json.encode(
            [{"index": member.index, "error": member.error.code} for member in refused]
        ).decode(),
    )


def _calm_if_resolved(alert: IncomingAlert) -> IncomingAlert:
    """A resolution asks nobody to act: INFO, and the title says what it is."""
    if not is_resolution(alert.status):
        return alert
    return replace(alert, severity=Severity.INFO, title=f"[RESOLVED] {alert.title}")
