"""Both regions together: replication, switches, heartbeats, alarms, silences and exports."""

from collections.abc import Iterator
from typing import Final

from clients.checks import Check, Finding, failed, ok, unknown
from clients.coordination import CoordinationRecords
from clients.heartbeats import LATE, MISSING, UNKNOWN, read_expected
from clients.silences import MadeSilences
from deploy.checks.subject import Subject
from dr.exports.requests import export_age_s
from dr.operations.environment import SystemClock
from dr.operations.journal import OperationRefusedError
from dr.operations.operation import StepContext
from dr.operations.replication import measure_way
from runbook.health.functions import CHECK_SEE, DAILY_SEE
from topology.backups import EXPORTS
from topology.health import REPLICATION_MAX_S

STACK: Final = "stack"
"""In a region's place, where both are asked and one answer will do."""

_DOWN_SEE: Final = "docs/runbook.md#system-down"
_HOUR_S: Final = 3_600
_STATUS: Final = "`responder dr status` says how both regions stand"


def region_checks(subject: Subject) -> Iterator[Check]:
    """What keeps the regions together, and what is expected of them."""
    yield subject.check(
        "replication",
        "regions",
        f"a record of the other region arrives within {REPLICATION_MAX_S} s; a marker is written for it",
        actions=("dynamodb:GetItem", "dynamodb:PutItem"),
        run=_replication,
        see=_DOWN_SEE,
    )
    yield subject.check(
        "switch",
        "regions",
        "the region does not stand in for the other",
        actions=("dynamodb:GetItem",),
        run=_switch,
        see=_DOWN_SEE,
    )
    yield subject.check(
        "heartbeats",
        "regions",
        "every heartbeat and synthetic alert came in time",
        actions=("dynamodb:GetItem",),
        run=_heartbeats,
        regions=(STACK,),
        see=CHECK_SEE,
    )


def alarm_check(subject: Subject, *, backups: bool) -> Check:
    """No alarm of the stack is on; those on `backups`, of which one a day will do, or all others."""
    return subject.check(
        "backup-alarms" if backups else "alarms",
        "backups" if backups else "alarms",
        "no alarm on backups is on" if backups else "no alarm of the pipeline is on",
        actions=("cloudwatch:DescribeAlarms",),
        run=_backup_alarms if backups else _pipeline_alarms,
        see="docs/runbook.md#backup-and-recovery" if backups else CHECK_SEE,
    )


def export_check(subject: Subject) -> Check:
    """The newest good export is as young as the stack's `exportMaxAgeH` asks for."""
    return subject.check(
        "export",
        "backups",
        f"the ledger can be restored as it was {subject.config.export_max_age_h} h ago",
        actions=("dynamodb:ListExports", "dynamodb:DescribeExport"),
        run=_export,
        see="docs/runbook.md#backup-and-recovery",
    )


def silence_check(subject: Subject) -> Check:
    """Which silences hold now."""
    return subject.check(
        "silences",
        "regions",
        "which silences hold now",
        actions=("dynamodb:GetItem", "lambda:GetFunctionConfiguration"),
        run=_silences,
        regions=(STACK,),
        see=DAILY_SEE,
    )


def _replication(subject: Subject, region: str) -> Finding:
    other, clock = next(one for one in subject.regions if one != region), SystemClock()
    context = StepContext(
        clock=clock, deadline_ms=clock.now_ms() + REPLICATION_MAX_S * 2_000, tell=lambda _: None
    )
    try:
        lag = measure_way(
            subject.deployment, context, written_in=other, seen_in=region, within_s=REPLICATION_MAX_S
        )
    except OperationRefusedError as error:
        return failed(str(error), _STATUS)
    return ok(f"{lag.took_ms} ms from {other}")


def _switch(subject: Subject, region: str) -> Finding:
    since_ms = CoordinationRecords(subject.deployment, region).switched_on_ms()
    if not since_ms:
        return ok("off")
    hint = "`responder dr failback` once the other can deliver again"
    return failed(f"{region} stands in for the other region", hint)


def _heartbeats(subject: Subject, _: str) -> Finding:
    expected = read_expected(subject.deployment, now_ms=round(subject.now().timestamp() * 1_000))
    missing = [one.what for one in expected if one.state in {LATE, MISSING}]
    if missing:
        said = f"late or missing: {', '.join(missing)}"
        return failed(said, "`responder heartbeats list` says since when, and where it was seen last")
    if unsure := [one.what for one in expected if one.state == UNKNOWN]:
        return unknown(f"a region does not say whether it had {', '.join(unsure)}", _STATUS)
    return ok(f"{len(expected)} expected, all in time" if expected else "none is expected")


def _pipeline_alarms(subject: Subject, region: str) -> Finding:
    return _alarms(subject, region, backups=False)


def _backup_alarms(subject: Subject, region: str) -> Finding:
    return _alarms(subject, region, backups=True)


def _alarms(subject: Subject, region: str, *, backups: bool) -> Finding:
    names = subject.deployment.names
    pages = (
        subject.client("cloudwatch", region)
        .get_paginator("describe_alarms")
        .paginate(AlarmNamePrefix=f"{names.prefix}-", AlarmTypes=["MetricAlarm"])
    )
    states = {
        str(one["AlarmName"]): one["StateValue"]
        for page in pages
        for one in page.get("MetricAlarms", ())
        if str(one["AlarmName"]).endswith(("-age", "-missed")) == backups
    }
    by_state = {state: sorted(name for name in states if states[name] == state) for state in states.values()}
    if on := by_state.get("ALARM"):
        look = f"aws cloudwatch describe-alarms --region {region} --alarm-names {on[0]}"
        return failed(f"on: {_short(on, names.prefix)}", f"`{look}` says what it means")
    if not states:
        return failed(f"there is no alarm {names.prefix}-* in {region}", f"run {subject.up}")
    if unsure := by_state.get("INSUFFICIENT_DATA"):
        return unknown(
            f"without data: {_short(unsure, names.prefix)}",
            "it takes minutes after a deployment; run it again",
        )
    return ok(f"{len(states)} alarms, none is on")


def _short(alarms: list[str], prefix: str) -> str:
    return ", ".join(name.removeprefix(f"{prefix}-") for name in alarms)


def _export(subject: Subject, region: str) -> Finding:
    age_s = export_age_s(subject.deployment, region, subject.now().timestamp())
    make = f"`responder dr export --region {region}` makes one"
    if age_s is None:
        return failed(f"no good export of {region} is known in {EXPORTS}/", make)
    hours, most = age_s / _HOUR_S, subject.config.export_max_age_h
    said = f"the newest state that can be restored is {hours:.1f} h old"
    return failed(f"{said}, more than {most} h", make) if hours > most else ok(said)


def _silences(subject: Subject, _: str) -> Finding:
    silences, now_s = MadeSilences(subject.deployment), subject.now().timestamp()
    holding = sorted(
        one.silence_id
        for one in (*silences.read(), *silences.configured())
        if one.from_s <= now_s < one.until_s
    )
    return ok(", ".join(holding) or "none")
