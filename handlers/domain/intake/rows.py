"""New ledger rows: an incoming alert, cut to what a row may hold. Reception makes them."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import Alert, IncomingAlert, LinkKind
from handlers.domain.intake.faults import Change
from handlers.domain.limits import (
    LATER_ATTRIBUTES_BYTES,
    MAX_ITEM_BYTES,
    MAX_LABELS,
    MAX_LINK_CHARS,
    MAX_MESSAGE_CHARS,
    MAX_NAME_CHARS,
    MAX_TITLE_CHARS,
    cut,
)
from topology.alerts import RESOLVED_MARK, SCHEMA, SYNTHETIC, FaultState, Status

_MAX_HOST_CHARS: Final = 253
_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", re.IGNORECASE)
"""A part of a host's name; the underscore is none of DNS's rules, and in many internal names.
https://www.rfc-editor.org/rfc/rfc1123#section-2"""


NAMELESS: Final = "_"
"""The name of a label without one: DynamoDB refuses attributes without a name.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html#limits-attributes"""


def new_row(
    alert: IncomingAlert,
    *,
    alert_id: str,
    identity: str,
    change: Change,
    at_ms: int,
    region: str,
    body_format: str,
    body_hash: str,
) -> Alert:
    """The row of an alert accepted at `at_ms` in `region`: RECEIVED, but under no open key yet.

    A resolution says so in its title. What is too long is cut with a mark; the body's part is kept as far as
    the item stays below its limit. A synthetic one goes its own way, in no digest.
    """
    title = f"{RESOLVED_MARK}{alert.title}" if alert.state is FaultState.RESOLVED else alert.title
    labels = {
        cut(name, MAX_NAME_CHARS) or NAMELESS: cut(text, MAX_NAME_CHARS)
        for name, text in list(alert.labels.items())[:MAX_LABELS]
    }
    links = kept_links(alert.links)
    row = Alert(
        alert_id=alert_id,
        status=Status.RECEIVED,
        severity=alert.severity,
        timestamp=at_ms // 1000,
        created_at=_iso(at_ms),
        accepted_at_ms=at_ms,
        region=region,
        owner=region,
        format=body_format,
        source=cut(alert.source, MAX_NAME_CHARS),
        title=cut(title, MAX_TITLE_CHARS),
        message=cut(alert.message, MAX_MESSAGE_CHARS),
        identity=identity,
        fault_key=change.fault_key,
        state=change.state,
        changed_at_ms=change.at_ms,
        body_hash=body_hash,
        raw="",
        schema=SCHEMA,
        labels=labels,
        component=_name(alert.component),
        host=_name(alert.host),
        link=links.get(LinkKind.SOURCE),
        links=links or None,
        started_at=_name(alert.started_at),
        severity_word=_name(alert.severity_word),
        mended=(*alert.mended, *_label_marks(alert.labels, labels), *link_marks(alert.links, links)) or None,
        left_out=alert.left_out or None,
    )
    if row.synthetic:
        row = replace(row, route=SYNTHETIC, alone=True)
    return _with_raw(row, alert.part)


def kept_links(links: Mapping[str, str]) -> dict[str, str]:
    """Those of a sender's links that a row keeps: addresses that a person may click on."""
    return {kind: links[kind] for kind in LinkKind if _is_web_link(links.get(kind), max_chars=MAX_LINK_CHARS)}


def link_marks(sent: Mapping[str, str], kept: Mapping[str, str]) -> list[str]:
    """What a row says of those that it does not keep."""
    return [
        f"its link of kind {kind} is left out: it is no web address of at most {MAX_LINK_CHARS} characters"
        for kind in sorted(sent.keys() - kept.keys())
    ]


def _label_marks(sent: Mapping[str, str], kept: Mapping[str, str]) -> list[str]:
    left_out = len(sent) - len(kept)
    return [f"{left_out} labels that a row has no room for are in its raw part only"] if left_out else []


def _iso(at_ms: int) -> str:
    """Such as 2026-11-23T08:00:00.123Z."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC).replace(tzinfo=None)
    return at.isoformat(timespec="milliseconds") + "Z"


def _name(text: str | None) -> str | None:
    return cut(text, MAX_NAME_CHARS) if text else None


def _with_raw(row: Alert, part: str) -> Alert:
    """`row` with as much of the body's part as leaves room for what later steps add."""
    room = max(0, MAX_ITEM_BYTES - LATER_ATTRIBUTES_BYTES - len(msgspec.json.encode(row)))
    encoded = part.encode()
    if len(encoded) <= room:
        return replace(row, raw=part)
    return replace(row, raw=encoded[:room].decode(errors="ignore"), raw_truncated=True)


def _is_web_link(text: str | None, *, max_chars: int) -> bool:
    """Whether `text` is a complete http or https address of printable ASCII that a person may click on.

    A host that can be none, as a template that nobody filled in, makes Slack refuse the message with it.
    """
    if not text or len(text) > max_chars or not text.isascii() or not text.isprintable() or " " in text:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # an address that cannot be split, a port that is no number or too high
        return False
    return (
        parts.scheme in ("http", "https")
        and parts.username is None
        and port != 0
        and _is_host(parts.hostname or "", bracketed="[" in parts.netloc)
    )


def _is_host(host: str, *, bracketed: bool) -> bool:
    """An IP address, or a name by https://url.spec.whatwg.org/#host-parsing whose end is no number."""
    if bracketed or host.rpartition(".")[2].isdigit():
        try:
            return (ip_address(host).version == 6) is bracketed  # noqa: PLR2004 - IP's own number
        except ValueError:
            return False
    return len(host) <= _MAX_HOST_CHARS and all(map(_LABEL.fullmatch, host.removesuffix(".").split(".")))
