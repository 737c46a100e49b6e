"""What a diagnosis sees: signs in each region, and what could not be looked at."""

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial
from typing import Final

from botocore.exceptions import ClientError

from clients.checks import WITHIN_S, Finding, Outcome, State, failed, ok, run_checks
from clients.logs import LogLine
from deploy.checks.subject import Subject
from handlers.domain.redaction import redacted

_SERVER_ERROR: Final = 500
_KEPT: Final = ("dynamodb:", "secretsmanager:")
"""What keeps data in both regions may answer on for a region of which nothing else does."""


class Sign(StrEnum):
    """One thing that is not as it is in a healthy region, or a symptom that some cause has to explain."""

    WEBHOOK_SILENT = "the webhook does not answer"
    WEBHOOK_FAILS = "the webhook fails"
    WEBHOOK_GONE = "the webhook's path is not there"
    KEY_UNUSABLE = "the API key is missing or disabled"
    FUNCTION_STOPPED = "a function may not run"
    FUNCTION_MISSING = "a function is missing"
    FUNCTION_FAILS = "invocations fail"
    FUNCTION_THROTTLED = "invocations are throttled"
    FUNCTION_TIMES_OUT = "invocations run out of time"
    MAPPING_OFF = "a queue's mapping is disabled"
    MAPPING_MISSING = "a queue has no mapping"
    QUEUE_DENIED = "a queue's policy denies"
    QUEUE_MISSING = "a queue is missing"
    POISON = "bodies that no worker can use"
    DEAD_LETTERS = "messages in a dead-letter queue"
    SECRET_UNUSABLE = "a secret is missing or has no value"  # noqa: S105 - the name of a sign
    SLACK_ADDRESS = "Slack does not take the address"
    SLACK_WAITS = "Slack asks to wait"
    SLACK_FAILS = "Slack does not answer, or fails"
    SLACK_REFUSES = "Slack refuses messages"
    CLAUDE_REFUSES = "Claude does not take the key, or its spend limit is reached"
    CLAUDE_FAILS = "Claude does not answer, or fails"
    TABLE_THROTTLED = "DynamoDB throttles"
    TABLE_MISSING = "a table is missing, or not active"
    DENIED = "IAM denies a function what it needs"
    SCHEDULE_OFF = "Recovery's schedule is disabled or missing"
    SWITCHED = "the region's switch is on"
    FENCED = "the region waits until it has seen the other's record"
    QUEUE_PURGED = "a work queue was purged"
    WAKE_UPS_LOST = "alerts are due, and their queues are empty"
    OVERDUE = "alerts are overdue"
    RECOVERED = "Recovery had to send wake-ups anew"
    REFUSED = "senders' bodies are refused"


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """A sign in a region. `what`: the function, queue, secret or table; `detail`: what was seen, hostile.

    `observe` takes secrets out of `detail`.
    `mend`: the command that shows or mends just this, where it takes values that only the probe knows.
    """

    sign: Sign
    region: str
    detail: str
    what: str = ""
    mend: str = ""


@dataclass(frozen=True)
class Scene:
    """A stack under diagnosis, of which everything from `since_ms` (epoch milliseconds) on counts.

    `lines`: the warnings and errors of each function, by region and function, once they are read.
    """

    subject: Subject
    since_ms: int
    lines: dict[tuple[str, str], Sequence[LogLine]] = field(default_factory=dict)

    @property
    def now_ms(self) -> int:
        """Epoch milliseconds."""
        return round(self.subject.now().timestamp() * 1_000)

    def aws(self, words: str, region: str, **options: str) -> str:
        """A command of AWS's own CLI in the region, in backticks; `options` with values unquoted."""
        given = " ".join(f"--{name.replace('_', '-')} {shlex.quote(text)}" for name, text in options.items())
        endpoint = self.subject.deployment.clients.endpoint_url
        where = f"--region {region}" + (f" --endpoint-url {endpoint}" if endpoint else "")
        return f"`aws {words} {where} {given}`".replace(" `", "`")


Look = Callable[[Scene, str], Iterable[Evidence]]


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One thing that is looked at in each region. `title`: what holds where `look` gives no sign."""

    id: str
    category: str
    title: str
    actions: tuple[str, ...]
    look: Look

    @property
    def shows_life(self) -> bool:
        """Whether an answer shows that the region is there."""
        return bool(self.actions) and not any(action.startswith(_KEPT) for action in self.actions)


@dataclass(frozen=True)
class Observation:
    """All that was seen. `outcomes`: of each probe in each region; unknown where it could not look.

    `answering`: the regions in which what runs there answered, be it that the caller may not look.
    """

    evidence: tuple[Evidence, ...]
    outcomes: tuple[Outcome, ...]
    answering: frozenset[str]

    def unseen(self, region: str) -> tuple[Outcome, ...]:
        """The probes that could not look at the region."""
        return tuple(
            one for one in self.outcomes if one.region == region and one.finding.state == State.UNKNOWN
        )


def observe(scene: Scene, probes: Sequence[Probe], *, within_s: float = WITHIN_S) -> Observation:
    """Look at everything in both regions at once; what has not answered within `within_s` is unknown."""
    seen: dict[tuple[str, str], tuple[Evidence, ...]] = {}
    answering: set[str] = set()

    def run(probe: Probe, _subject: Subject, region: str) -> Finding:
        try:
            found = tuple(replace(one, detail=redacted(one.detail)) for one in probe.look(scene, region))
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            if probe.shows_life and status < _SERVER_ERROR:
                answering.add(region)
            raise
        seen[probe.id, region] = found
        if probe.shows_life:
            answering.add(region)
        if not found:
            return ok(probe.title)
        return failed("; ".join(dict.fromkeys(one.detail for one in found)), found[0].mend)

    checks = [
        scene.subject.check(
            probe.id, probe.category, probe.title, actions=probe.actions, run=partial(run, probe)
        )
        for probe in probes
    ]
    outcomes = run_checks(checks, within_s=within_s)
    answered = [(one.check.id, one.region) for one in outcomes if one.finding.state != State.UNKNOWN]
    evidence = [one for key in answered for one in seen[key]]
    return Observation(tuple(evidence), tuple(outcomes), frozenset(answering))
