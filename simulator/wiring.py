"""The only place where the handlers' objects are made and called: as their entry points do, over given ports.

Everything that goes in or out is plain data, or a port. A copy of this module is archived with each release
(`simulator.releases`), so it imports nothing but `handlers` and `topology`, and what surrounds it may take
nothing from it but its public names.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from handlers.adapters.lambda_events.sqs_batch import work_batch
from handlers.domain import ports
from handlers.domain.alert import Analysis, Step
from handlers.domain.delivery.analysis import AnalysisWork
from handlers.domain.delivery.arrivals import Arrivals
from handlers.domain.delivery.breaker import Breaker
from handlers.domain.delivery.channels import Channel, Channels
from handlers.domain.delivery.distribution import DistributionWork
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.delivery.leases import Deadline, Leases, PoisonMessageError
from handlers.domain.delivery.messages import Digest, FollowUpNotice, Message, ThreadReply
from handlers.domain.delivery.rate_limit import RateLimiter
from handlers.domain.delivery.routing import Routing
from handlers.domain.intake.faults import Faults
from handlers.domain.intake.heartbeats import Heartbeats
from handlers.domain.intake.quotas import Quotas
from handlers.domain.intake.reception import Reception
from handlers.domain.intake.refusals import Refusals
from handlers.domain.intake.webhook import Request, Webhook
from handlers.domain.limits import FAULT_RECORD_WINDOWS
from handlers.domain.moves import Actor
from handlers.domain.regions.escalations import Escalations
from handlers.domain.regions.ownership import MovingOwnership, Ownership, SharedOwnership
from handlers.domain.regions.recovery import Recovery
from handlers.domain.regions.switch import Switch
from handlers.domain.silences import Silences
from topology.config import StackConfig
from topology.functions import FUNCTIONS
from topology.routes import RouteSpec

CONFIG: Final = StackConfig.parse(
    stack="prod",
    raw={"primaryRegion": "us-east-1", "failoverRegion": "us-west-2", "witnessRegion": "us-east-2"},
)
"""The shipped defaults: what is simulated is what is deployed."""

TIMEOUTS_S: Final = {spec.key: CONFIG.timeout_s[spec] for spec in FUNCTIONS}
"""By function."""

ERRORS: Final = ports
"""Where this release's errors are, by which Claude and Slack say no."""


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What one execution environment reaches. `machine`: its clock, sleeper, randomness and executor.

    `consistency`: the ledger's, `strong` or `eventual`. `notifiers`: one for the channel of each route,
    besides the default one's. `edits`: a bot posts, by all of them.
    """

    ledger: Any
    coordination: Any
    cache: Any
    queue_sender: Any
    analyst: Any
    notifier: Any
    machine: Any
    region: str
    peer: str
    consistency: str
    takeover_after_s: int
    source_quota_per_minute: int
    silences: Any
    escalation: Any
    notifiers: Mapping[str, Any]
    routes: tuple[RouteSpec, ...] = ()
    edits: bool = False
    incident_window_s: int = CONFIG.incident_window_s
    hold_back_s: int = CONFIG.hold_back_s
    escalate_after_s: int = 0


class PostedMessage(NamedTuple):
    """What Slack is given. `kind`: alert, digest, follow-up or reply.

    `key`: its alert's id, the digest's, or what the reply is to. `refers_to`: the message whose place it
    takes.
    """

    kind: str
    key: str
    alert_count: int
    text: str
    refers_to: str | None = None


def webhook(given: Ports) -> Webhook:
    """What the reception function answers requests with."""
    reception = Reception(
        ledger=given.ledger,
        faults=Faults(
            coordination=given.coordination,
            executor=given.machine,
            keep_s=FAULT_RECORD_WINDOWS * CONFIG.dedupe_event_window_s,
        ),
        quotas=Quotas(
            coordination=given.coordination, region=given.region, per_minute=given.source_quota_per_minute
        ),
        queue_sender=given.queue_sender,
        clock=given.machine,
        randomness=given.machine,
        executor=given.machine,
        ownership=_ownership(given),
        region=given.region,
        lease_s=CONFIG.lease_s,
        event_window_s=CONFIG.dedupe_event_window_s,
        content_window_s=CONFIG.dedupe_content_window_s,
        hold_back_s=given.hold_back_s,
    )
    switch = Switch(coordination=given.coordination, region=given.region)
    return Webhook(
        reception=reception,
        refusals=Refusals(meter=_Unwatched()),
        probe=given.ledger,
        switch=switch,
        heartbeats=Heartbeats(coordination=given.coordination, clock=given.machine, region=given.region),
    )


def analysis(given: Ports) -> AnalysisWork:
    """The worker of the analysis function."""
    return AnalysisWork(
        leases=_leases(given, Actor.ANALYSIS, Step.ANALYSIS),
        incidents=_incidents(given),
        routing=Routing(routes=given.routes, default_edits=given.edits),
        silences=Silences(stored=given.silences, clock=given.machine),
        cache=given.cache,
        analyst=given.analyst,
        breaker=Breaker(coordination=given.coordination, clock=given.machine),
        executor=given.machine,
        cache_ttl_s=CONFIG.cache_ttl_s,
        critical_patience_s=CONFIG.critical_patience_s,
    )


def distribution(given: Ports) -> DistributionWork:
    """The worker of the distribution function."""
    return DistributionWork(
        leases=_leases(given, Actor.DISTRIBUTION, Step.DISTRIBUTION),
        incidents=_incidents(given),
        channels=Channels(
            default=_channel(given, given.notifier, ""),
            by_route={route: _channel(given, notifier, route) for route, notifier in given.notifiers.items()},
        ),
        arrivals=Arrivals(coordination=given.coordination),
        executor=given.machine,
        escalate_after_s=given.escalate_after_s,
    )


def _channel(given: Ports, notifier: Any, route: str) -> Channel:
    return Channel(
        notifier=notifier,
        rate_limiter=RateLimiter(
            coordination=given.coordination,
            clock=given.machine,
            interval_ms=CONFIG.slack_interval_ms,
            route=route,
        ),
        edits=given.edits,
    )


def _incidents(given: Ports) -> Incidents:
    return Incidents(
        ledger=given.ledger,
        coordination=given.coordination,
        clock=given.machine,
        window_s=given.incident_window_s,
    )


class RecoveryFunction(NamedTuple):
    """What the recovery function runs, in this order."""

    escalations: Escalations | None
    recovery: Recovery


def recovery(given: Ports) -> RecoveryFunction:
    """What the recovery function runs."""
    escalations = Escalations(
        ledger=given.ledger,
        ownership=_ownership(given),
        escalation=given.escalation,
        clock=given.machine,
        region=given.region,
        after_s=given.escalate_after_s,
    )
    looks = Recovery(
        ledger=given.ledger,
        queue_sender=given.queue_sender,
        ownership=_ownership(given),
        clock=given.machine,
        lease_s=CONFIG.lease_s,
        silences=Silences(stored=given.silences, clock=given.machine),
    )
    return RecoveryFunction(escalations if given.escalate_after_s else None, looks)


BUILDERS: Final[dict[str, Callable[[Ports], object]]] = {
    "reception": webhook,
    "analysis": analysis,
    "distribution": distribution,
    "recovery": recovery,
}
"""By function: what is made once in each execution environment, for the functions below."""


class _Unwatched:
    """`RefusalMeter` where nobody reads metrics."""

    def count(self, *, body_format: str, reason: str, number: int) -> None:
        """See `RefusalMeter`."""

    def count_ignored(self, *, body_format: str, number: int) -> None:
        """See `RefusalMeter`."""


def answer(
    handler: Webhook, machine: Any, *, method: str, path: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, Any]]:
    """Status and body of reception's answer to a request."""
    until_ms = machine.now_ms() + machine.get_remaining_time_in_millis() * 2 // 5
    request = Request(method=method, path=path, headers=headers, body=body)
    response = handler.answer(request, until_ms=until_ms)
    return response.status, response.body


def work(
    handler: Any,
    machine: Any,
    *,
    messages: Iterable[tuple[str, str]],
    failed: Callable[[str, Exception, bool], None],
) -> frozenset[str]:
    """Have a worker do (id, body) messages; the ids to keep in the queue.

    `failed` is told of each error that the worker lets out, by the alert's id, and whether it calls the
    message poison.
    """

    def watched(alert_id: str, deadline: Deadline) -> None:
        try:
            handler.work(alert_id, deadline)
        except Exception as error:
            failed(alert_id, error, isinstance(error, PoisonMessageError))
            raise

    event = {"Records": [{"messageId": message_id, "body": body} for message_id, body in messages]}
    kept = work_batch(event, watched, chains=handler.chains, executor=machine, context=machine, clock=machine)
    return frozenset(failure["itemIdentifier"] for failure in kept["batchItemFailures"])


def recover(handler: RecoveryFunction, machine: Any) -> bool:
    """Run Recovery once; False if it ended early because the ledger is unavailable."""
    until_ms = machine.now_ms() + machine.get_remaining_time_in_millis() * 3 // 4
    if handler.escalations is not None:
        handler.escalations.run()
    try:
        handler.recovery.run(until_ms=until_ms)
    except ports.LedgerUnavailableError:
        return False
    return True


def model_answer(summary: str) -> ports.ModelAnswer:
    """What the model answers, as the analysis function wants it."""
    return ports.ModelAnswer(
        analysis=Analysis(
            summary=summary,
            probable_cause="a simulated one",
            actions=("wait",),
            confidence="high",
            model="simulated",
        ),
        input_tokens=100,
        output_tokens=50,
    )


def posted(message: Message) -> PostedMessage:
    """What Slack is given when the distribution function posts `message`."""
    if isinstance(message, Digest):
        incident = message.whole.incident if message.whole else ""
        sections = (f"{section.header} {section.text}" for section in message.sections)
        text = "\n".join((message.header, *sections, incident))
        return PostedMessage("digest", message.digest_id, message.alert_count, text, message.refers_to)
    if isinstance(message, ThreadReply):
        return PostedMessage("reply", message.parent_ref or "", 0, message.header)
    text = f"{message.header}\n{message.incident}"
    if isinstance(message, FollowUpNotice):
        return PostedMessage("follow-up", message.alert_id, 1, text, message.refers_to)
    fields = "\n".join(f"{name}: {value}" for name, value in message.fields)
    return PostedMessage("alert", message.alert_id, 1, f"{text}\n{fields}")


def _leases(given: Ports, actor: Actor, step: Step) -> Leases:
    return Leases(
        ledger=given.ledger,
        queue_sender=given.queue_sender,
        ownership=_ownership(given),
        clock=given.machine,
        randomness=given.machine,
        sleeper=given.machine,
        actor=actor,
        step=step,
        lease_s=CONFIG.lease_s,
    )


def _ownership(given: Ports) -> Ownership:
    if given.consistency == "strong":
        return SharedOwnership(owners=(CONFIG.primary_region, CONFIG.failover_region))
    return MovingOwnership(
        coordination=given.coordination,
        clock=given.machine,
        region=given.region,
        peer=given.peer,
        takeover_after_s=given.takeover_after_s,
    )
