"""From the bytes of a body to alerts, or to a refusal that says what to correct. All input is hostile.

Webhook and SNS both come through `parse_body`. What a body may look like is in `formats`, one module each. A
group is taken member by member: what cannot be taken is named by its index, and costs the others nothing.
"""

import re
from typing import Final

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import is_resolution
from handlers.domain.formats import FORMATS, Format, Member, RefusedError
from handlers.domain.intake.decoding import Decoded, decode
from handlers.domain.limits import MAX_ALERTS_PER_BODY, MAX_REFUSED_NAMED, MAX_TITLE_CHARS
from handlers.domain.text import inert
from topology.alerts import FaultState, Severity

_AT: Final = re.compile(r" - at `\$\.?(?P<path>[^`]*)`$")
_MISSING: Final = re.compile(r"missing required field `(?P<name>[^`]+)`")
_URGENCY: Final = tuple(Severity)
_LISTED: Final = 10
"""Members that an alert about refused ones names; the others it counts."""


class RefusedMember(msgspec.Struct, frozen=True):
    """A member of a group that cannot be taken: its place among the body's members, from 0, and why."""

    index: int
    error: RefusedError


class ParsedBody(msgspec.Struct, frozen=True):
    """The alerts of one body, one at least, in its order, the name of its format, and what was refused.

    Where members were refused, the last alert says so: a sender that was answered 202 takes all for told.
    """

    format: str
    alerts: tuple[IncomingAlert, ...]
    refused: tuple[RefusedMember, ...] = ()


def parse_body(body: bytes) -> ParsedBody:
    """Read one JSON body in whichever format it is.

    Raises:
        RefusedError: nothing of it can be taken: what is wrong, where, and what to send instead.
    """
    decoded = decode(body)
    for spec in FORMATS:
        if spec.recognises(decoded.document):
            break
    else:
        raise RefusedError(
            422,
            "unknown_format",
            hint=f"the fields match none of the known formats: {', '.join(f.name for f in FORMATS)}",
        )
    try:
        return _parsed(spec, decoded)
    except RefusedError as error:
        error.body_format = spec.name
        raise


def _parsed(spec: Format, decoded: Decoded) -> ParsedBody:
    try:
        members = spec.parse(decoded.document)
    except msgspec.ValidationError as error:
        raise _refusal_of(error) from error
    if not members:
        raise RefusedError(422, "no_alerts", hint="the body holds no alert; send at least one")
    checked = _limited(
        [_checked(member, index, decoded.mended_at(index)) for index, member in enumerate(members)]
    )
    refused = tuple(
        RefusedMember(n, error) for n, error in enumerate(checked) if isinstance(error, RefusedError)
    )
    alerts = [alert for alert in checked if isinstance(alert, IncomingAlert)]
    if not alerts:
        raise refused[0].error
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


def _checked(member: Member, index: int, mended: tuple[str, ...]) -> Member:
    """A member with its place, and what was mended in its text. A resolution asks nobody to act: INFO."""
    if isinstance(member, RefusedError):
        return member
    if not inert(member.title[:MAX_TITLE_CHARS]):
        return RefusedError(
            422,
            "missing_field",
            field="title",
            hint=f"alert {index} has no title; name the fault in a few words",
            part=member.part,
        )
    member = replace(member, index=index, mended=(*mended, *member.mended))
    if not is_resolution(member.status):
        return member
    return replace(member, state=FaultState.RESOLVED, severity=Severity.INFO)


def _limited(members: list[Member]) -> list[Member]:
    """The members, with the least severe of too many refused."""
    alerts = [member for member in members if isinstance(member, IncomingAlert)]
    alerts.sort(key=lambda alert: _URGENCY.index(alert.severity))
    surplus = {alert.index for alert in alerts[MAX_ALERTS_PER_BODY:]}
    error = RefusedError(
        413,
        "too_many_alerts",
        hint=f"the body holds {len(members)} alerts, and the {MAX_ALERTS_PER_BODY} most severe are taken; "
        "send fewer at a time",
    )
    return [error if index in surplus else member for index, member in enumerate(members)]


def _about(refused: tuple[RefusedMember, ...], *, of: int, body_format: str) -> IncomingAlert:
    """The alert that tells people of members that were not taken: any of them may have been the worst."""
    lines = [f"alert {member.index}: {member.error.hint}" for member in refused[:_LISTED]]
    if len(refused) > _LISTED:
        lines.append(f"and {len(refused) - _LISTED} more")
    return IncomingAlert(
        source=body_format,
        title=f"{len(refused)} of {of} alerts of one body could not be taken",
        severity=Severity.HIGH,
        index=of,
        message="\n".join(lines),
        part=msgspec.json.encode(
            [{"index": member.index, "error": member.error.code} for member in refused[:MAX_REFUSED_NAMED]]
        ).decode(),
    )
