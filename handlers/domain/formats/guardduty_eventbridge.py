"""GuardDuty's findings on EventBridge.

https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings_eventbridge.html
https://docs.aws.amazon.com/guardduty/latest/ug/guardduty_findings-severity.html

A finding that occurs again comes again, with its first time and a new count; nothing says that it is over. A
scan for malware that found none is no alert.
https://docs.aws.amazon.com/guardduty/latest/ug/monitor-with-eventbridge-s3-malware-protection.html
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from handlers.domain.alert import IncomingAlert
from handlers.domain.dialects import DEFAULT_SEVERITY
from handlers.domain.formats import Identity, Ignored, Member
from handlers.domain.values import Fields, links_of, present, text_of
from topology.alerts import Severity

_SOURCE: Final = "aws.guardduty"
_KIND: Final = "GuardDuty"
_MARKS: Final = frozenset({"schemaVersion", "type", "service", "severity", "resource"})
_MARKS_NEEDED: Final = 3
_CLEAN: Final = "NO_THREATS_FOUND"
_FOUND: Final = "THREATS_FOUND"
_LEVELS: Final = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (1.0, Severity.LOW))
"""From which number on: critical 9.0 to 10.0, high 7.0 to 8.9, medium 4.0 to 6.9, low 1.0 to 3.9."""


class GuardDutyFormat:
    """A finding: one alert."""

    name = "guardduty_eventbridge"
    last_resort = False
    members = None
    identity = Identity(
        event_id="`detail.id`, else `detail.arn`; a scan's object and version",
        episode="`detail.service.eventFirstSeen`, else `detail.createdAt`",
        sent_at="`time`, `detail.updatedAt`",
        resolution="never",
    )
    severity = (
        "`detail.severity`: from 9 CRITICAL, from 7 HIGH, from 4 MEDIUM, from 1 LOW, below INFO; "
        "a scan that found malware HIGH"
    )

    def recognises(self, body: dict[str, Any], _headers: Mapping[str, str]) -> bool:
        """An event of GuardDuty, by its source, its type or its detail."""
        if not {"detail", "detail-type"} & body.keys():
            return False
        kind, detail = text_of(body.get("detail-type")) or "", body.get("detail")
        marked = isinstance(detail, dict) and len(_MARKS & detail.keys()) >= _MARKS_NEEDED
        return body.get("source") == _SOURCE or kind.startswith(_KIND) or marked

    def parse(self, body: dict[str, Any], _headers: Mapping[str, str]) -> list[Member]:
        """The finding."""
        fields = Fields(body)
        detail = fields.inner("detail")
        scanned = detail.inner("scanResultDetails").text("scanResultStatus")
        if scanned == _CLEAN:
            return [Ignored("a scan for malware that found none")]
        if scanned:
            return [_of_scan(fields, detail, scanned)]
        service, resource = detail.inner("service"), detail.inner("resource")
        began = service.time("eventFirstSeen") or detail.time("createdAt", needed=True)
        finding, region = detail.id("id"), detail.text("region") or fields.text("region")
        kind, number = detail.text("type"), detail.text("severity", needed=True)
        labels = {
            "type": kind,
            "account": detail.text("accountId") or fields.text("account"),
            "region": region,
            "resource_type": resource.text("resourceType"),
            "action": service.inner("action").text("actionType"),
            "count": service.text("count"),
            "sample": service.inner("additionalInfo").text("sample"),
        }
        severity = _severity_of(number)
        return [
            IncomingAlert(
                source="aws.guardduty",
                title=detail.title("title", stand_in=kind or "a finding of GuardDuty"),
                severity=severity or DEFAULT_SEVERITY,
                severity_word=number if severity is None else None,
                part=msgspec.json.encode(body).decode(),
                message=detail.text("description") or "",
                component=resource.text("resourceType"),
                host=resource.inner("instanceDetails").text("instanceId"),
                links=links_of(
                    source=region
                    and finding
                    and "https://console.aws.amazon.com/guardduty/home?region="
                    f"{quote(region, safe='')}#/findings?search=id%3D{quote(finding, safe='')}"
                ),
                started_at=began,
                episode=began or "",
                changed_at=began,
                event_id=finding or detail.id("arn"),
                labels=present(labels),
                mended=fields.mended,
            )
        ]


def _of_scan(fields: Fields, detail: Fields, status: str) -> IncomingAlert:
    """A scan that found malware, or that could not be made: of an object's version, so of one fault each."""
    thing = detail.inner("s3ObjectDetails")
    bucket, key = thing.text("bucketName", needed=True), thing.text("objectKey", needed=True)
    place = "/".join(text for text in (bucket, key) if text)
    threats = [
        name for part in detail.inner("scanResultDetails").inners("threats") if (name := part.text("name"))
    ]
    labels = {
        "account": fields.text("account"),
        "region": fields.text("region"),
        "bucket": bucket,
        "object": key,
    }
    return IncomingAlert(
        source="aws.guardduty",
        title=f"Scan for malware: {status}" + (f" in {place}" if place else ""),
        severity=Severity.HIGH if status == _FOUND else DEFAULT_SEVERITY,
        part=msgspec.json.encode(fields.values).decode(),
        message="\n".join(threats),
        component=detail.text("resourceType"),
        started_at=fields.time("time"),
        event_id=f"{place}/{thing.text('versionId', 'eTag') or ''}" if place else None,
        labels=present(labels),
        mended=fields.mended,
    )


def _severity_of(number: str | None) -> Severity | None:
    """None for what is no number."""
    try:
        value = float(number or "")
    except ValueError:
        return None
    return next((severity for least, severity in _LEVELS if value >= least), Severity.INFO)


FORMAT: Final = GuardDutyFormat()
