"""From the bytes of a body to alerts, or to a refusal that says what to correct. All input is hostile.

Webhook and alarm topic both come through `parse`. Adding a format is adding a module here with a `FORMAT`;
nothing else changes. A group is taken member by member: what cannot be taken is named by its index, and costs
the others nothing.

`FORMATS` holds them in the order in which they are asked, those marked `last_resort` after all others. They
are loaded at the end of this module, since they import the rest of it.
"""

import pkgutil
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import IncomingAlert
from handlers.domain.decoding import Decoded, decode
from handlers.domain.dialects import is_resolution
from handlers.domain.envelopes import unwrapped
from handlers.domain.limits import (
    MAX_ALERTS_PER_BODY,
    MAX_MEMBERS_LOOKED_AT,
    MAX_REFUSED_NAMED,
    MAX_TITLE_CHARS,
)
from handlers.domain.refusal import RefusedError
from handlers.domain.text import inert
from topology.alerts import URGENCY, FaultState, Severity

CHOICE_HEADER: Final = "x-alert-source"
"""The header by which a sender names a configured source, whatever its body looks like."""

NO_TITLE: Final = "it had no title"
"""How a row says that it has a stand-in."""

_OWN_FIELDS: Final = ("source", "title")
"""A body with a text in both is the project's own before any sender's, whatever else it has."""

_LISTED: Final = 10
"""Members that an alert about refused ones names; the others it counts."""


class UnknownFormatError(RefusedError):
    """The body is of no format that is known here."""

    def __init__(self, known: Sequence[str]) -> None:
        """`known`: the names of all formats that were asked."""
        hint = f"the fields match none of the known formats: {', '.join(known)}"
        super().__init__(422, "unknown_format", hint=hint)


class Ignored(msgspec.Struct, frozen=True):
    """A member that is no alert, and why: a success, a ping, a test, an acknowledgement, a `heartbeat`."""

    reason: str
    heartbeat: str | None = None


Member = IncomingAlert | RefusedError | Ignored
"""A member of a body: an alert, why it cannot be taken, or why it is none."""


class RefusedMember(msgspec.Struct, frozen=True):
    """A member of a group that cannot be taken: its place among the body's members, from 0, and why."""

    index: int
    error: RefusedError


class IgnoredMember(msgspec.Struct, frozen=True):
    """A member that is no alert: its place among the body's members, from 0, and why."""

    index: int
    reason: str
    heartbeat: str | None = None


class ParseResult(msgspec.Struct, frozen=True):
    """The alerts of one body, in its order, the name of its format, and what was refused or ignored of it.

    `alerts` is empty only where everything was ignored, which `ignored_reason` explains; else that is None.
    Where members were refused, the last alert says so: a sender that was answered 202 takes all for told.
    """

    format: str
    alerts: tuple[IncomingAlert, ...]
    ignored_reason: str | None = None
    refused: tuple[RefusedMember, ...] = ()
    ignored: tuple[IgnoredMember, ...] = ()

    @property
    def heartbeats(self) -> list[str]:
        """The names of the heartbeats in it."""
        return list(dict.fromkeys(member.heartbeat for member in self.ignored if member.heartbeat))


HeartbeatOf = Callable[[IncomingAlert], str | None]
"""Which heartbeat an alert of a body is; None for one that is an alert."""


class Identity(NamedTuple):
    """Which fields of a format's body identify an alert, in words for the table; "none" where there is none.

    The start of the episode is a part of the identity, the time of sending never is.
    """

    event_id: str
    episode: str
    sent_at: str
    resolution: str


class Format(Protocol):
    """One format. A body is a decoded JSON object, free of NUL and lone surrogates, at most 32 deep.

    Names of headers are in lower case. `severity`: how it is mapped, in one line for the table.
    """

    name: str
    last_resort: bool
    """Whether its mark is so common that every other format is asked first."""

    members: str | None
    """The body's list of members, in the order of `parse`; None where the whole body is one alert."""

    identity: Identity
    severity: str

    def recognises(self, body: dict[str, Any], headers: Mapping[str, str], /) -> bool:
        """Whether the body is meant to be of this format, correct or not. Never raises."""

    def parse(self, body: dict[str, Any], headers: Mapping[str, str], /) -> Sequence[Member]:
        """Its members, in the body's order; what is missing or of a wrong type costs none of the rest.

        Raises:
            RefusedError: nothing of it can be taken.
        """


def parse(
    body: bytes,
    headers: Mapping[str, str],
    *,
    sources: Sequence[Format] = (),
    heartbeat_of: HeartbeatOf = lambda _: None,
) -> ParseResult:
    """Read one JSON body in whichever format it is; its heartbeats are members that are no alerts.

    `sources` are configured ones: they are asked after the formats of known senders and before those of last
    resort, both before the senders' for a body with the project's own fields; and `CHOICE_HEADER` chooses one
    of them outright.

    Raises:
        UnknownFormatError: it is of no known format.
        RefusedError: nothing of it can be taken: what is wrong, where, and what to send instead.
    """
    decoded = unwrapped(decode(body))
    spec = _recognised(decoded.document, headers, sources)
    try:
        return _parsed(spec, decoded, headers, heartbeat_of)
    except RefusedError as error:
        error.body_format = spec.name
        raise


def _recognised(document: dict[str, Any], headers: Mapping[str, str], sources: Sequence[Format]) -> Format:
    chosen = headers.get(CHOICE_HEADER)
    senders = [found for found in FORMATS if not found.last_resort]
    rest = [*sources, *(found for found in FORMATS if found.last_resort)]
    is_own = all(isinstance(text := document.get(name), str) and text.strip() for name in _OWN_FIELDS)
    asked = [*rest, *senders] if is_own else [*senders, *rest]
    for spec in sources:
        if spec.name == chosen:
            return spec
    for spec in asked:
        if spec.recognises(document, headers):
            return spec
    raise UnknownFormatError([spec.name for spec in asked])


def _parsed(
    spec: Format, decoded: Decoded, headers: Mapping[str, str], heartbeat_of: HeartbeatOf
) -> ParseResult:
    members = spec.parse(decoded.document, headers)
    if not members:
        raise RefusedError(422, "no_alerts", hint="the body holds no alert; send at least one")
    checked = _limited(
        [
            _unless_heartbeat(
                _checked(member, index, decoded.mended_at(spec.members, index), spec), heartbeat_of
            )
            for index, member in enumerate(members)
        ]
    )
    refused = tuple(RefusedMember(n, m) for n, m in enumerate(checked) if isinstance(m, RefusedError))
    ignored = tuple(
        IgnoredMember(n, m.reason, m.heartbeat) for n, m in enumerate(checked) if isinstance(m, Ignored)
    )
    alerts = [alert for alert in checked if isinstance(alert, IncomingAlert)]
    if not alerts and refused:
        raise refused[0].error
    if refused:
        alerts.append(_about(refused, of=len(members), body_format=spec.name))
    reason = "; ".join(dict.fromkeys(member.reason for member in ignored)) if not alerts else None
    return ParseResult(spec.name, tuple(alerts), reason, refused, ignored)


def looked_at(members: list[Any]) -> tuple[list[Any], list[Member]]:
    """Those of a group's members that are looked at, and a refusal for each of the others behind them."""
    error = RefusedError(
        413, "too_many_members", hint=f"only the first {MAX_MEMBERS_LOOKED_AT} alerts are looked at"
    )
    left_over: list[Member] = [error] * (len(members) - MAX_MEMBERS_LOOKED_AT)
    return members[:MAX_MEMBERS_LOOKED_AT], left_over


def no_object(part: Any, field: str) -> RefusedError:
    """The refusal of a member at `field` that is no JSON object."""
    return RefusedError(
        422,
        "invalid_field",
        field=field,
        hint=f"{field} is no JSON object",
        part=msgspec.json.encode(part).decode(),
    )


def _checked(member: Member, index: int, mended: tuple[str, ...], spec: Format) -> Member:
    """A member with its place, and what was mended in its text. A resolution asks nobody to act: INFO."""
    if not isinstance(member, IncomingAlert):
        return member
    title = member.title
    if not inert(title[:MAX_TITLE_CHARS]):
        title, mended = f"An alert without a title ({spec.name})", (*mended, NO_TITLE)
    member = replace(member, index=index, title=title, mended=(*mended, *member.mended))
    if member.state is not FaultState.RESOLVED and not is_resolution(member.status):
        return member
    return replace(member, state=FaultState.RESOLVED, severity=Severity.INFO)


def _unless_heartbeat(member: Member, heartbeat_of: HeartbeatOf) -> Member:
    name = heartbeat_of(member) if isinstance(member, IncomingAlert) else None
    return member if name is None else Ignored(f"it is the heartbeat {name!r}, which is noted", name)


def _limited(members: list[Member]) -> list[Member]:
    """The members, with the least severe of too many refused."""
    alerts = [member for member in members if isinstance(member, IncomingAlert)]
    alerts.sort(key=lambda alert: URGENCY[alert.severity])
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


def _discovered() -> tuple[Format, ...]:
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    formats: list[Format] = [import_module(f"{__name__}.{name}").FORMAT for name in modules]
    return tuple(sorted(formats, key=lambda f: f.last_resort))


FORMATS: Final = _discovered()
