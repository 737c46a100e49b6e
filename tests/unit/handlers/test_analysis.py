"""Analysis over fakes: the cache, the model's failures, claims, and what is left for Recovery."""

import logging
from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery.breaker import FAILURES_TO_OPEN
from handlers.domain.delivery.leases import Deadline, PoisonMessageError
from handlers.domain.limits import APART_ATTEMPTS, ASK_AGAIN_S
from handlers.domain.ports import (
    AnalystBusyError,
    AnalystFailedError,
    AnalystUnconfiguredError,
    LedgerUnavailableError,
    ModelAnswer,
)
from handlers.domain.signature import signature_of
from handlers.domain.states import analyzed, claimed, notified
from tests.fakes.ledger import ledger_down
from tests.fakes.services import ANALYSIS, FakeAnalyst
from tests.unit.handlers.builders import CACHE_TTL_S, LEASE_S, World, row
from topology.alerts import FollowUp, Status
from topology.queues import Queue


def world_with(**fields: Any) -> World:
    """A world with one RECEIVED alert, a1."""
    world = World()
    world.hold(row(**fields))
    return world


def test_alert_is_analysed_cached_and_sent_on() -> None:
    """The model's answer is stored in the row and in the cache, and distribution gets a wake-up."""
    world = world_with()
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.analysis, stored.analysis_error) == (Status.ANALYZED, ANALYSIS, None)
    assert (stored.lease_token, stored.attempts, stored.due_at) == (None, 0, world.clock.s + LEASE_S)
    assert world.cache.entries == {signature_of(stored): (ANALYSIS, world.clock.s + CACHE_TTL_S)}
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION, "a1", 0)]


def test_attempts_count_for_one_step_only() -> None:
    """Recoveries before the analysis leave distribution all of its tries."""
    world = World()
    world.hold(replace(row(), attempts=7))
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"].attempts == 0


def test_critical_alert_takes_its_own_key() -> None:
    """A backlog of others never delays it."""
    world = world_with(severity="CRITICAL")
    world.analysis.work("a1", world.time())
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION_CRITICAL, "a1", 0)]


def test_alike_alert_uses_the_cache(caplog: pytest.LogCaptureFixture) -> None:
    """The second alert of one fault costs no call, and the log says so in the runbook's words."""
    caplog.set_level(logging.INFO, "handlers")
    world = world_with(message="depth 1 on host a")
    world.hold(replace(row(message="depth 2 on host a"), alert_id="a2"))
    world.analysis.work("a1", world.time())
    world.analysis.work("a2", world.time())
    assert [alert_id for alert_id, _ in world.analyst.asked] == ["a1"]
    assert world.ledger.rows["a2"].analysis == replace(ANALYSIS, cached=True)
    assert [(r.message, r.__dict__["alert_id"]) for r in caplog.records if "analysis" in r.message] == [
        ("Claude analysis", "a1"),
        ("Using cached analysis", "a2"),
    ]


def test_cached_analysis_names_the_alert_at_hand(caplog: pytest.LogCaptureFixture) -> None:
    """What it quotes is filled in; what fits the first alert only is left out, and the log counts it."""
    caplog.set_level(logging.INFO, "handlers")
    world = world_with(message="depth 1200 on 10.0.0.1", host="db-7")
    world.hold(replace(row(message="depth 7 on 10.0.0.2", host="db-9"), alert_id="a2"))
    summary = "The queue on db-7 has depth 1200. That is 1.2 k at 10.0.0.1."
    world.analyst.script = [replace(ANALYSIS, summary=summary)]
    world.analysis.work("a1", world.time())
    world.analysis.work("a2", world.time())
    first, other = (world.ledger.rows[key].analysis for key in ("a1", "a2"))
    assert first is not None
    assert other is not None
    assert (first.summary, first.left_out) == (summary, UNSET)
    assert (other.summary, other.left_out) == ("The queue on db-9 has depth 7.", 1)
    (hit,) = [record for record in caplog.records if record.message == "Using cached analysis"]
    assert hit.__dict__["left_out"] == 1


def test_model_is_asked_where_nothing_of_the_cached_analysis_fits() -> None:
    """Its answer takes the place of the other one."""
    world = world_with(message="depth 1200")
    world.hold(replace(row(message="depth 7"), alert_id="a2"))
    useless = replace(ANALYSIS, summary="It is 1.2 k.", probable_cause="It is 1.2 k.")
    world.analyst.script = [useless, ANALYSIS]
    world.analysis.work("a1", world.time())
    world.clock.advance(ASK_AGAIN_S)
    world.analysis.work("a2", world.time())
    assert [alert_id for alert_id, _ in world.analyst.asked] == ["a1", "a2"]
    assert world.ledger.rows["a2"].analysis == ANALYSIS
    assert [analysis for analysis, _ in world.cache.entries.values()] == [ANALYSIS]


def test_alerts_of_one_fault_wait_for_each_other_and_the_others_for_none() -> None:
    """A batch asks the model once a signature, and for all signatures at once."""
    world = World()
    messages = {"a1": "depth 1", "a2": "no route", "a3": "depth 2", "a4": "no route"}
    world.hold(*(replace(row(message=message), alert_id=key) for key, message in messages.items()))
    signatures = {key: signature_of(alert) for key, alert in world.ledger.rows.items()}
    assert len(set(signatures.values())) == 2
    assert world.analysis.chains([*messages]) == [["a1", "a3"], ["a2", "a4"]]


def test_alerts_that_were_tried_often_are_one_chain_in_any_order() -> None:
    """One of them may end its worker each time: what comes before it is done by then."""
    world = World()
    attempts = {"a1": APART_ATTEMPTS - 1, "a2": APART_ATTEMPTS, "a3": APART_ATTEMPTS + 1, "a4": 0}
    world.hold(
        *(
            replace(row(message=message), alert_id=key, attempts=attempts[key])
            for key, message in {"a1": "depth 1", "a2": "no route", "a3": "depth 2", "a4": "depth 3"}.items()
        )
    )
    world.randomness.fractions = [0.1, 0.9, 0.9, 0.1]
    assert world.analysis.chains([*attempts]) == [["a1", "a4"], ["a2", "a3"]]
    assert world.analysis.chains([*attempts]) == [["a1", "a4"], ["a3", "a2"]]


def test_alerts_that_cannot_be_read_ahead_are_one_chain() -> None:
    """Nothing is known of their signatures, so each may be the next one's."""
    world = world_with()
    assert world.analysis.chains(["a1"]) == [["a1"]]
    world.ledger.before = ledger_down()
    assert world.analysis.chains(["a1", "a2"]) == [["a1", "a2"]]


def test_expired_cache_entry_is_not_used() -> None:
    """An analysis is reused until its time is over."""
    world = world_with()
    signature = signature_of(world.ledger.rows["a1"])
    world.cache.entries[signature] = (replace(ANALYSIS, summary="old"), world.clock.s)
    world.analysis.work("a1", world.time())
    analysis = world.ledger.rows["a1"].analysis
    assert analysis is not None
    assert analysis.summary == ANALYSIS.summary


def test_failing_cache_costs_a_call_and_nothing_else() -> None:
    """The cache saves money; no alert depends on it."""
    world = world_with()
    world.cache.down = True
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"].analysis == ANALYSIS


def test_busy_model_is_asked_again_after_a_pause() -> None:
    """An overload that passes within the invocation costs seconds, not the analysis."""
    world = world_with()
    world.analyst.script = [AnalystBusyError("529"), AnalystBusyError("429", retry_after_s=3), ANALYSIS]
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"].analysis == ANALYSIS
    assert world.clock.slept_s == [1.0, 3]


def test_model_that_stays_busy_lets_the_alert_go_without() -> None:
    """After three calls the alert goes out and says why it has no analysis."""
    world = world_with()
    world.analyst.script = [AnalystBusyError("Claude answered 529")]
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert len(world.analyst.asked) == 3
    assert (stored.status, stored.analysis, stored.analysis_error) == (
        Status.ANALYZED,
        None,
        "Claude answered 529",
    )
    assert world.cache.entries == {}
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION, "a1", 0)]


def test_retry_after_beyond_the_invocation_is_not_slept() -> None:
    """A server's wish never outlives the Lambda."""
    world = world_with()
    world.analyst.script = [AnalystBusyError("429", retry_after_s=600)]
    world.analysis.work("a1", world.time(30))
    assert world.clock.slept_s == []
    assert len(world.analyst.asked) == 1
    assert world.ledger.rows["a1"].status is Status.ANALYZED


def test_refused_request_is_not_asked_twice() -> None:
    """What will not change is not paid for again."""
    world = world_with()
    world.analyst.script = [AnalystFailedError("Claude answered 400 invalid_request_error")]
    world.analysis.work("a1", world.time())
    assert len(world.analyst.asked) == 1
    assert world.ledger.rows["a1"].analysis_error == "Claude answered 400 invalid_request_error"


def test_call_gets_the_time_that_is_left() -> None:
    """The model may take what the message has, less the reserve for the ledger."""
    world = world_with()
    world.analysis.work("a1", world.time(30))
    ((_, timeout_s),) = world.analyst.asked
    assert timeout_s == 27


def test_no_time_means_no_call() -> None:
    """A call that could not be used is not made."""
    world = world_with()
    world.analysis.work("a1", world.time(4))
    assert world.analyst.asked == []
    assert world.ledger.rows["a1"].analysis_error == "no time was left to ask the model"


def test_missing_key_costs_the_analysis_and_not_the_alert() -> None:
    """People are told without it, and the analysis follows once an operator has put the key."""
    world = world_with()
    world.analyst.script = [AnalystUnconfiguredError("the secret mcp-responder/anthropic-key is empty")]
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.follow_up) == (Status.ANALYZED, FollowUp.WANTED)
    assert stored.analysis_error == "the secret mcp-responder/anthropic-key is empty"
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION, "a1", 0)]


@pytest.mark.parametrize(
    ("error", "follow_up"),
    [(AnalystBusyError("529"), FollowUp.WANTED), (AnalystFailedError("refusal"), None)],
    ids=["busy", "failed"],
)
def test_only_what_may_be_had_later_is_followed_up(
    error: AnalystBusyError | AnalystFailedError, follow_up: FollowUp | None
) -> None:
    """A refusal stays a refusal; an overload passes."""
    world = world_with()
    world.analyst.script = [error]
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"].follow_up is follow_up


@pytest.mark.parametrize(("severity", "timeout_s"), [("CRITICAL", 15), ("HIGH", 30)])
def test_alert_waits_for_its_analysis_only_so_long(severity: str, timeout_s: int) -> None:
    """However much time the invocation has; a critical one waits less."""
    world = world_with(severity=severity)
    world.analysis.work("a1", world.time(300))
    assert world.analyst.asked == [("a1", timeout_s)]


def test_late_answer_finds_its_critical_alert_gone_and_is_kept() -> None:
    """It is told of without the analysis, which is in the cache for its follow-up: no second call."""
    world = world_with(severity="CRITICAL")
    world.executor.late = True
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.analysis, stored.follow_up) == (Status.ANALYZED, None, FollowUp.WANTED)
    assert stored.analysis_error == "the model took longer than 2 s"
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION_CRITICAL, "a1", 0)]
    world.distribution.work("a1", world.time())
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"].follow_up is FollowUp.READY
    assert len(world.analyst.asked) == 1


def test_late_answer_follows_an_alert_that_rests_at_once() -> None:
    """People wait for the model, and for nothing else."""
    world = world_with(severity="CRITICAL")
    world.executor.late = True
    analyst = world.analyst

    class Slow(FakeAnalyst):
        def analyse(self, alert: Alert, *, timeout_s: float) -> ModelAnswer:
            world.distribution.work(alert.alert_id, world.time())
            return analyst.analyse(alert, timeout_s=timeout_s)

    world.analyst = Slow()
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.follow_up, stored.analysis) == (Status.NOTIFIED, FollowUp.READY, ANALYSIS)
    assert [queue for queue, _, _ in world.queue_sender.sent] == [
        Queue.DISTRIBUTION_CRITICAL,
        Queue.DISTRIBUTION,
    ]
    assert len(analyst.asked) == 1


def test_late_answers_are_no_failures_of_the_model() -> None:
    """The circuit stays closed however many alerts did not wait for theirs."""
    world = World()
    world.executor.late = True
    for title in "abcdef":
        world.hold(row(title, title=title, severity="CRITICAL"))
        world.analysis.work(title, world.time())
    assert len(world.analyst.asked) == FAILURES_TO_OPEN + 1


def test_late_failure_leaves_the_follow_up_to_recovery() -> None:
    """Nothing is to be told yet."""
    world = world_with(severity="CRITICAL")
    world.executor.late = True
    world.analyst.script = [AnalystBusyError("529")]
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"].follow_up is FollowUp.WANTED
    assert len(world.queue_sender.sent) == 1


def test_model_that_fails_everybody_is_left_alone_for_a_while() -> None:
    """Five failures in a row open the circuit: the next alert goes out at once, without a call."""
    world = World()
    world.analyst.script = [AnalystBusyError("529")]
    for number in range(3):
        world.hold(row(f"a{number}", source=f"shop-{'abc'[number]}"))
        world.analysis.work(f"a{number}", world.time(100))
    assert len(world.analyst.asked) == FAILURES_TO_OPEN
    stored = world.ledger.rows["a2"]
    assert (stored.status, stored.follow_up) == (Status.ANALYZED, FollowUp.WANTED)
    assert stored.analysis_error == "the model has failed lately and is not asked for a while"


def test_wish_to_stay_away_binds_every_instance() -> None:
    """A Retry-After beyond the invocation opens the circuit for that long, in one call."""
    world = World()
    world.hold(row("a1"), row("a2", title="another"), row("a3", title="a third"))
    world.analyst.script = [AnalystBusyError("429", retry_after_s=600), ANALYSIS]
    for alert_id in ("a1", "a2"):
        world.analysis.work(alert_id, world.time())
    assert [alert_id for alert_id, _ in world.analyst.asked] == ["a1"]
    world.clock.advance(600)
    world.analysis.work("a3", world.time())
    assert world.ledger.rows["a3"].analysis == ANALYSIS


def notified_without_analysis(world: World) -> None:
    """Alert a1, NOTIFIED, its follow-up due."""
    alert = analyzed(row(), "Claude answered 529", due_at=0, follow_up=True)
    world.hold(notified(alert, at_ms=world.clock.ms, slack_ref="C1/1.2"))


def test_follow_up_is_analysed_and_sent_to_be_posted() -> None:
    """The row keeps resting as NOTIFIED, with its analysis."""
    world = World()
    notified_without_analysis(world)
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.follow_up, stored.analysis) == (Status.NOTIFIED, FollowUp.READY, ANALYSIS)
    assert (stored.analysis_error, stored.slack_ref) == (None, "C1/1.2")
    assert world.queue_sender.sent == [(Queue.DISTRIBUTION, "a1", 0)]


def test_follow_up_that_is_still_not_to_be_had_waits_for_recovery() -> None:
    """No wake-up of its own: Recovery decides how often."""
    world = World()
    notified_without_analysis(world)
    world.analyst.script = [AnalystBusyError("529")]
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.follow_up, stored.lease_token) == (FollowUp.WANTED, None)
    assert stored.due_at == world.clock.s + 60
    assert world.queue_sender.sent == []


def test_follow_up_that_is_refused_ends() -> None:
    """Nobody asks a third time for what is refused."""
    world = World()
    notified_without_analysis(world)
    world.analyst.script = [AnalystFailedError("refusal")]
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.follow_up, stored.open_key, stored.due_at) == (
        Status.NOTIFIED,
        None,
        None,
        None,
    )


def test_unknown_alert_is_poison() -> None:
    """A row is always written before its wake-up."""
    with pytest.raises(PoisonMessageError, match="no alert 'a9'"):
        World().analysis.work("a9", World().time())


def test_alert_at_work_elsewhere_is_left_alone() -> None:
    """A live lease keeps others off."""
    world = World()
    held = claimed(row(), token="other", due_at=world.clock.s + 60)
    world.hold(held)
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"] == held
    assert world.queue_sender.sent == []


def test_lease_that_ran_out_is_taken_over() -> None:
    """A crashed worker keeps an alert only as long as its lease."""
    world = World()
    world.hold(claimed(row(), token="other", due_at=world.clock.s))
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"].status is Status.ANALYZED


def test_claim_lasts_as_long_as_the_invocation_and_two_seconds() -> None:
    """No longer, so that a crash costs little; no shorter, so that nobody else starts meanwhile."""
    world = world_with()
    deadline = Deadline(soft_ms=world.clock.ms + 30_000, hard_ms=world.clock.ms + 59_001)
    world.analysis.work("a1", deadline)
    claim = world.ledger.writes[0]
    assert claim.lease_token
    assert claim.due_at == world.clock.s + 62


@pytest.mark.parametrize("status", [Status.ANALYZED, Status.NOTIFIED])
def test_second_wake_up_does_nothing(status: Status) -> None:
    """Wake-ups come twice and late; the row knows."""
    world = World()
    alert = row(status=Status.ANALYZED)
    stored = alert if status is Status.ANALYZED else notified(alert, at_ms=1)
    world.hold(stored)
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"] == stored
    assert world.analyst.asked == []


def test_late_message_is_left_to_another_invocation() -> None:
    """What comes to its turn when the invocation is nearly over is hinted again, unclaimed."""
    world = world_with()
    world.analysis.work("a1", replace(world.time(5), expired=True))
    assert world.ledger.writes == []
    assert world.queue_sender.sent == [(Queue.PROCESSING, "a1", 0)]


def test_lost_claim_writes_nothing() -> None:
    """A frozen worker that wakes up after another has finished changes nothing and sends nothing."""
    world = world_with()
    other = notified(row(status=Status.ANALYZED), at_ms=1)

    def frozen_meanwhile(operation: str) -> None:
        if operation == "replace" and world.ledger.writes:
            world.ledger.rows["a1"] = other

    world.ledger.before = frozen_meanwhile
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"] == other
    assert world.queue_sender.sent == []


def test_ledger_failing_at_once_leaves_the_alert_to_recovery() -> None:
    """The wake-up is dropped, no receive is spent on it, and nothing is half done."""
    world = world_with()
    before = dict(world.ledger.rows)
    world.ledger.before = ledger_down()
    world.analysis.work("a1", world.time())
    assert world.ledger.rows == before
    assert world.queue_sender.sent == []


def test_result_is_written_in_a_later_try() -> None:
    """Work that has been done is worth more than one write."""
    world = world_with()
    failures = iter([False, True, True, False])

    def fails_twice(operation: str) -> None:
        if operation == "replace" and next(failures):
            raise LedgerUnavailableError("on purpose")

    world.ledger.before = fails_twice
    world.analysis.work("a1", world.time())
    assert world.ledger.rows["a1"].status is Status.ANALYZED
    assert world.clock.slept_s == [0.5, 1.5]


def test_failing_queue_leaves_the_analysed_alert_to_recovery() -> None:
    """The row is due again after a lease."""
    world = world_with()
    world.queue_sender.down = True
    world.analysis.work("a1", world.time())
    stored = world.ledger.rows["a1"]
    assert (stored.status, stored.due_at) == (Status.ANALYZED, world.clock.s + LEASE_S)
