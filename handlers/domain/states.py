"""How an alert's row looks in each status.

Handlers build the row they want with the functions below; a `Ledger` calls `check` before it writes, so
that no adapter and no fake can store a row that breaks these rules, or make a move that is not in `moves`.
"""

from typing import Final

from msgspec.structs import replace

from handlers.domain.alert import Alert, Analysis, Step
from handlers.domain.limits import FOLLOW_UP_AFTER_S, MAX_REASON_CHARS, REST_RETENTION_S, cut
from handlers.domain.moves import MOVES, Actor, Condition
from topology.alerts import URGENCY, DuplicateCause, FollowUp, Status


class IllegalMoveError(Exception):
    """A handler tried a move that the state machine does not have: a defect, never a retry."""


VERSION: Final = ("status", "lease_token", "due_at", "attempts", "not_before")
"""What a conditional write compares with the row it was decided on. Every move changes one of these, and
a claim puts a random token in, so a row that somebody else has moved is never mistaken for the one read."""


def check(actor: Actor, before: Alert | None, after: Alert) -> None:
    """Refuse a move that is not in `MOVES`, and a row whose attributes contradict its status.

    Raises:
        IllegalMoveError: always a defect of the caller.
    """
    origin = before.status if before else None
    conditions = {
        m.condition for m in MOVES if (m.actor, m.origin, m.target) == (actor, origin, after.status)
    }
    problems: list[str] = []
    if not conditions:
        problems.append(f"{actor} may not move an alert from {origin} to {after.status}")
    if conditions == {Condition.LEASED} and before and before.lease_token is None:
        problems.append(f"{actor} holds no lease on it")
    problems += contradictions(after)
    if problems:
        raise IllegalMoveError(
            f"alert {after.alert_id}, {after.status}: {'; '.join(problems)}; correct the handler"
        )


def contradictions(row: Alert) -> tuple[str, ...]:
    """The rules that the attributes of `row` break between them; disaster recovery asks it too."""
    status, at_work = row.status, row.step is not None
    rules = {
        "open_key is not the one it belongs under": row.open_key != row.expected_open_key,
        "due_at and open_key go together": (row.due_at is None) != (row.open_key is None),
        "lease_token and not_before belong to alerts at work": not at_work
        and (row.lease_token is not None or row.not_before is not None),
        "NOTIFIED and SUPPRESSED alerts expire, and no others": (row.expires_at is not None)
        != (status in (Status.NOTIFIED, Status.SUPPRESSED)),
        "PARKED alerts have a parked_reason, and no others": (row.parked_reason is not None)
        != (status is Status.PARKED),
        "notified_at_ms, digest_id and slack_ref belong to NOTIFIED alerts": status is not Status.NOTIFIED
        and (row.notified_at_ms, row.digest_id, row.slack_ref) != (None, None, None),
        "silence_id and silenced_until go together": (row.silence_id is None) != (row.silenced_until is None),
        "escalate_at belongs to NOTIFIED alerts that nobody has acknowledged": row.escalate_at is not None
        and (status is not Status.NOTIFIED or row.acknowledged_at is not None),
        "acknowledged_at and acknowledged_by go together": (row.acknowledged_at is None)
        != (row.acknowledged_by is None),
        "a follow-up belongs to an alert that is sent on": row.follow_up is not None
        and status not in (Status.ANALYZED, Status.NOTIFIED),
    }
    return tuple(rule for rule, broken in rules.items() if broken)


def is_free(alert: Alert, *, now_s: int) -> bool:
    """Whether nobody works on the open `alert`: no lease, or one that ran out."""
    return alert.lease_token is None or alert.due_at is None or alert.due_at <= now_s


def received(alert: Alert, *, due_at: int) -> Alert:
    """The new row `alert` as one to be worked on."""
    return _placed(replace(alert, status=Status.RECEIVED), due_at)


def suppressed(alert: Alert, *, due_at: int | None) -> Alert:
    """The new row `alert` as one that is not sent on by itself.

    A repeat, whose fault Recovery looks at at `due_at`; without that a folded one, whose fold tells of it.
    """
    expires_at = _expiry(alert.accepted_at_ms)
    return _placed(replace(alert, status=Status.SUPPRESSED, expires_at=expires_at), due_at)


def repeat_looked_at(alert: Alert, *, due_at: int | None, seen: bool = False) -> Alert:
    """The SUPPRESSED `alert`, to be looked at once more at `due_at`; or at rest for certain.

    `seen`: for the last time, as all that the other region wrote before it has come.
    """
    after = replace(alert, attempts=1 if seen else 0)
    return _rested(after) if due_at is None else replace(after, due_at=due_at)


def silenced(alert: Alert, *, silence_id: str, until: int) -> Alert:
    """The RECEIVED `alert`, of which nobody is told; from `until` (epoch seconds) on Recovery looks at it.

    At the more severe ones a little sooner.
    """
    after = replace(
        _rested(alert),
        status=Status.SUPPRESSED,
        silence_id=silence_id,
        silenced_until=until,
        attempts=0,
        expires_at=_expiry(until * 1000),
    )
    return _placed(after, until + URGENCY[alert.severity])


def acknowledged(alert: Alert, *, by: str, at: int) -> Alert:
    """The NOTIFIED `alert`, which somebody sees to since `at` (epoch seconds): it goes no second way."""
    return _waiting_for_nobody(replace(alert, acknowledged_by=by, acknowledged_at=at, escalate_at=None))


def snoozed(alert: Alert, *, by: str, until: int) -> Alert:
    """The NOTIFIED `alert`, which goes a second way only `until` (epoch seconds), unless acknowledged."""
    waiting = replace(alert, snoozed_by=by, escalate_at=until, escalated_at=None)
    return _waiting_for_nobody(replace(waiting, acknowledged_by=None, acknowledged_at=None))


def not_escalated(alert: Alert) -> Alert:
    """The NOTIFIED `alert`, which goes no second way: its fault was resolved."""
    return _waiting_for_nobody(replace(alert, escalate_at=None))


def escalated(alert: Alert, *, at: int) -> Alert:
    """`alert` told a second way `at` (epoch seconds)."""
    after = replace(alert, escalated_at=at, escalate_at=None)
    return _waiting_for_nobody(after) if alert.status is Status.NOTIFIED else after


def promoted(alert: Alert, *, due_at: int, duplicate_cause: DuplicateCause | None = None) -> Alert:
    """The SUPPRESSED `alert`, to go out: its parent is PARKED, or it is no repeat.

    `duplicate_cause`: why people may have been told already.
    """
    live = replace(alert, status=Status.RECEIVED, silence_id=None, silenced_until=None, expires_at=None)
    after = _placed(replace(live, attempts=0), due_at)
    return after if duplicate_cause is None else _counted(after, duplicate_cause)


def claimed(alert: Alert, *, token: str, due_at: int, duplicate_cause: DuplicateCause | None = None) -> Alert:
    """`alert` with a lease: `token` works on it until `due_at`.

    `duplicate_cause`: besides that of an expired lease.
    """
    mine = replace(_without_lease(alert), lease_token=token, due_at=due_at)
    return mine if duplicate_cause is None else _counted(mine, duplicate_cause)


def deferred(
    alert: Alert,
    *,
    not_before: int,
    lease_s: int,
    attempts: int,
    duplicate_cause: DuplicateCause | None = None,
    alone: bool = False,
) -> Alert:
    """`alert` given back, to be tried from `not_before` on; Recovery acts a lease after that.

    `alone`: for a message of its own from now on, as Slack refused a digest that it was part of.
    """
    after = replace(
        alert,
        lease_token=None,
        not_before=not_before,
        due_at=not_before + lease_s,
        attempts=attempts,
        alone=True if alone else alert.alone,
    )
    return after if duplicate_cause is None else _counted(after, duplicate_cause)


def rerouted(alert: Alert, *, not_before: int, lease_s: int) -> Alert:
    """`alert` given back for the default channel: by the address of its route Slack takes nothing."""
    free = deferred(alert, not_before=not_before, lease_s=lease_s, attempts=0)
    return replace(free, route=None, unusable_route=alert.route)


def postponed(alert: Alert, *, not_before: int, lease_s: int) -> Alert:
    """The free `alert`, to be tried from `not_before` on: there is no room for it now. Not an attempt."""
    return replace(_without_lease(alert), not_before=not_before, due_at=not_before + lease_s)


def analyzed(
    alert: Alert,
    outcome: Analysis | str,
    *,
    due_at: int,
    follow_up: bool = False,
    not_before: int | None = None,
) -> Alert:
    """`alert` ready for distribution, with an analysis or (as text) the reason why there is none.

    `follow_up`: the analysis may still be had later, and is then to be posted after the alert.
    `not_before`: until when it is held, to be told with others.
    """
    after = replace(
        alert,
        status=Status.ANALYZED,
        analysis=outcome if isinstance(outcome, Analysis) else None,
        analysis_error=cut(outcome, MAX_REASON_CHARS) if isinstance(outcome, str) else None,
        follow_up=FollowUp.WANTED if follow_up else None,
        lease_token=None,
        not_before=not_before,
        attempts=0,
    )
    return _placed(after, due_at)


def notified(
    alert: Alert,
    *,
    at_ms: int,
    digest_id: str | None = None,
    slack_ref: str | None = None,
    escalate_after_s: int = 0,
) -> Alert:
    """`alert` at rest: Slack took it at `at_ms`.

    `escalate_after_s`: how long people have to acknowledge it before it goes a second way; 0: it never does,
    nor does what went there before.
    """
    after = replace(
        _rested(alert),
        status=Status.NOTIFIED,
        attempts=0,
        notified_at_ms=at_ms,
        digest_id=digest_id,
        slack_ref=slack_ref,
        escalate_at=at_ms // 1000 + escalate_after_s
        if escalate_after_s and alert.escalated_at is None
        else None,
        expires_at=_expiry(at_ms),
    )
    if after.step is None:
        return _waiting_for_nobody(after)
    return _placed(after, at_ms // 1000 + FOLLOW_UP_AFTER_S)


def parked(alert: Alert, *, reason: str, due_at: int, duplicate_cause: DuplicateCause | None = None) -> Alert:
    """`alert` at rest until an operator acts: kept without expiry, `reason` shown to people.

    From `due_at` on Recovery looks whether it has repeats, one of which must go out in its place.
    `duplicate_cause`: why it may have been posted all the same, which counts once an operator redrives it.
    """
    after = replace(
        _rested(alert if duplicate_cause is None else _counted(alert, duplicate_cause)),
        status=Status.PARKED,
        follow_up=None,
        parked_reason=cut(reason, MAX_REASON_CHARS),
    )
    return _placed(after, due_at)


def given_up(alert: Alert, *, reason: str, due_at: int) -> Alert:
    """`parked`, for an `alert` whose lease may have run out: its holder is a possible duplicate then."""
    return parked(_without_lease(alert), reason=reason, due_at=due_at)


def looked_at(alert: Alert, *, due_at: int, successor_id: str | None) -> Alert:
    """The PARKED `alert`, whose repeats need no look until `due_at`; `successor_id` stands in for it."""
    return replace(alert, due_at=due_at, successor_id=successor_id)


def redriven(alert: Alert, *, due_at: int) -> Alert:
    """The PARKED `alert`, to be tried again from the start, in a digest too: what Slack refused is over."""
    again = replace(
        alert,
        status=Status.RECEIVED,
        parked_reason=None,
        attempts=0,
        alone=alert.folds or alert.synthetic or None,
    )
    return _placed(again, due_at)


def recovered(alert: Alert, *, due_at: int) -> Alert:
    """`alert` to be tried once more, free for whoever comes first."""
    return replace(_without_lease(alert), attempts=alert.attempts + 1, due_at=due_at)


def follow_up_ready(alert: Alert, analysis: Analysis, *, due_at: int) -> Alert:
    """The NOTIFIED `alert` with the analysis that it lacked, which is to be posted."""
    return replace(
        alert,
        follow_up=FollowUp.READY,
        analysis=analysis,
        analysis_error=None,
        lease_token=None,
        not_before=None,
        attempts=0,
        due_at=due_at,
    )


def follow_up_ended(alert: Alert) -> Alert:
    """The NOTIFIED `alert` with nothing left to do: its follow-up was posted, or given up."""
    return _waiting_for_nobody(_rested(replace(alert, follow_up=None)))


def _waiting_for_nobody(alert: Alert) -> Alert:
    """The NOTIFIED `alert`, due when it goes a second way, unless it waits for a worker still."""
    return alert if alert.step is not None else _placed(alert, alert.escalate_at)


def _placed(alert: Alert, due_at: int | None) -> Alert:
    due = replace(alert, due_at=due_at)
    return replace(due, open_key=due.expected_open_key)


def _rested(alert: Alert) -> Alert:
    return replace(alert, open_key=None, due_at=None, lease_token=None, not_before=None)


def _without_lease(alert: Alert) -> Alert:
    """`alert` free; an expired lease of a holder that was to post it is a possible duplicate."""
    free = replace(alert, lease_token=None, not_before=None)
    if alert.lease_token is None or alert.step is not Step.DISTRIBUTION or alert.status.at_rest:
        return free
    return _counted(free, DuplicateCause.LEASE_EXPIRED)


def _counted(alert: Alert, duplicate_cause: DuplicateCause) -> Alert:
    return replace(
        alert,
        possible_duplicates={
            **alert.possible_duplicates,
            duplicate_cause.value: alert.possible_duplicates.get(duplicate_cause.value, 0) + 1,
        },
    )


def _expiry(at_ms: int) -> int:
    return at_ms // 1000 + REST_RETENTION_S
