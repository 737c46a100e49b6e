"""Which causes fit what is seen: a table, each cause with its signs and with what it makes of others."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from runbook.diagnosis.evidence import Sign

SYSTEM_DOWN: Final = "docs/runbook.md#system-down"
SLACK: Final = "docs/runbook.md#slack-messages-not-delivered"
ROTATE_SLACK: Final = "docs/runbook.md#update-slack-webhook-url"
ROTATE_CLAUDE: Final = "docs/runbook.md#update-anthropic-api-key"
DLQ: Final = "docs/runbook.md#reprocess-failed-messages-from-the-dlq"
SENDERS: Final = "docs/runbook.md#what-became-of-it"


class Likelihood(StrEnum):
    """How well a cause is shown, the best first."""

    CERTAIN = "certain"
    """A setting that was read stops the pipeline there."""
    LIKELY = "likely"
    """It was seen to fail so."""
    POSSIBLE = "possible"
    """It would explain what is seen, and so would other things."""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A cause: any of `signs` in a region shows it. `explains`: what it brings about there, left out then."""

    id: str
    title: str
    likelihood: Likelihood
    signs: tuple[Sign, ...]
    explains: frozenset[Sign] = frozenset()
    see: str = SYSTEM_DOWN


OF_FUNCTIONS: Final = frozenset(
    {
        Sign.FUNCTION_MISSING,
        Sign.FUNCTION_STOPPED,
        Sign.FUNCTION_THROTTLED,
        Sign.FUNCTION_FAILS,
        Sign.FUNCTION_TIMES_OUT,
    }
)
"""Signs of one function: what is wrong with another accounts for none of them."""

_LATE: Final = frozenset({Sign.OVERDUE, Sign.RECOVERED})
_STOPPED: Final = _LATE | {
    Sign.FUNCTION_THROTTLED, Sign.FUNCTION_FAILS, Sign.WEBHOOK_FAILS, Sign.WEBHOOK_SILENT,
}  # fmt: skip
_STUCK: Final = _LATE | {Sign.DENIED, Sign.WAKE_UPS_LOST}

REGION_LOST: Final = Rule(
    id="region-lost",
    title="the region does not answer",
    likelihood=Likelihood.LIKELY,
    signs=(Sign.WEBHOOK_SILENT,),
    explains=frozenset(Sign),
)
"""Only where no API of AWS shows that the region is there, not even by a refusal: one that is slow, or whose
webhook alone does not answer, is not lost (`runbook.diagnosis.evidence.Probe.shows_life`)."""

UNREACHABLE: Final = Rule(
    id="unreachable",
    title="neither region answers from here: see to your own network first",
    likelihood=Likelihood.POSSIBLE,
    signs=(Sign.WEBHOOK_SILENT,),
    explains=frozenset(Sign),
)
"""In the place of `REGION_LOST` where that holds of both."""

RULES: Final = (
    REGION_LOST,
    UNREACHABLE,
    Rule(
        id="function-missing", title="a function is gone", likelihood=Likelihood.CERTAIN,
        signs=(Sign.FUNCTION_MISSING,), explains=_STOPPED,
    ),
    Rule(
        id="function-stopped", title="a function may not run: its reserved concurrency is 0",
        likelihood=Likelihood.CERTAIN, signs=(Sign.FUNCTION_STOPPED,), explains=_STOPPED,
    ),
    Rule(
        id="webhook-gone", title="the API's stage or path is gone", likelihood=Likelihood.LIKELY,
        signs=(Sign.WEBHOOK_GONE,),
    ),
    Rule(
        id="key-unusable", title="senders cannot get in: the API key is gone or disabled",
        likelihood=Likelihood.CERTAIN, signs=(Sign.KEY_UNUSABLE,),
    ),
    Rule(
        id="queue-missing", title="a queue is gone", likelihood=Likelihood.CERTAIN,
        signs=(Sign.QUEUE_MISSING,), explains=_STUCK | {Sign.MAPPING_MISSING, Sign.MAPPING_OFF},
    ),
    Rule(
        id="mapping-off", title="a queue is not delivered: its event source mapping is off or gone",
        likelihood=Likelihood.CERTAIN, signs=(Sign.MAPPING_OFF, Sign.MAPPING_MISSING),
        explains=_LATE,
    ),
    Rule(
        id="queue-denied", title="a queue's policy keeps the functions out", likelihood=Likelihood.CERTAIN,
        signs=(Sign.QUEUE_DENIED,), explains=_STUCK,
    ),
    Rule(
        id="table-missing", title="a table is gone or not active", likelihood=Likelihood.CERTAIN,
        signs=(Sign.TABLE_MISSING,), explains=_STUCK | {Sign.WEBHOOK_FAILS},
    ),
    Rule(
        id="secret-unusable", title="a secret is gone or has no value", likelihood=Likelihood.CERTAIN,
        signs=(Sign.SECRET_UNUSABLE,), see=ROTATE_SLACK,
        explains=frozenset({Sign.SLACK_ADDRESS, Sign.CLAUDE_REFUSES, Sign.CLAUDE_FAILS, Sign.OVERDUE}),
    ),
    Rule(
        id="schedule-off", title="Recovery is not run, so what gets stuck stays stuck",
        likelihood=Likelihood.CERTAIN, signs=(Sign.SCHEDULE_OFF,), explains=_LATE,
    ),
    Rule(
        id="table-throttled", title="DynamoDB throttles the tables", likelihood=Likelihood.LIKELY,
        signs=(Sign.TABLE_THROTTLED,),
        explains=_LATE | {Sign.WEBHOOK_FAILS, Sign.WEBHOOK_SILENT, Sign.FUNCTION_TIMES_OUT},
    ),
    Rule(
        id="permission-denied", title="a function lacks a permission", likelihood=Likelihood.LIKELY,
        signs=(Sign.DENIED,), explains=_LATE | {Sign.WEBHOOK_FAILS},
    ),
    Rule(
        id="function-times-out", title="a function runs out of time", likelihood=Likelihood.LIKELY,
        signs=(Sign.FUNCTION_TIMES_OUT,), explains=_LATE | {Sign.FUNCTION_FAILS},
    ),
    Rule(
        id="function-fails", title="invocations of a function fail", likelihood=Likelihood.LIKELY,
        signs=(Sign.FUNCTION_FAILS,),
        explains=_LATE | {Sign.WEBHOOK_FAILS, Sign.WEBHOOK_SILENT},
    ),
    Rule(
        id="function-throttled", title="functions are throttled: all their concurrency is used up",
        likelihood=Likelihood.LIKELY, signs=(Sign.FUNCTION_THROTTLED,),
        explains=_LATE | {Sign.WEBHOOK_FAILS},
    ),
    Rule(
        id="slack-address", title="Slack does not take the webhook or token that it is sent",
        likelihood=Likelihood.LIKELY, signs=(Sign.SLACK_ADDRESS,), see=ROTATE_SLACK,
        explains=frozenset({Sign.OVERDUE}),
    ),
    Rule(
        id="slack-fails", title="Slack does not answer, or answers errors", likelihood=Likelihood.LIKELY,
        signs=(Sign.SLACK_FAILS,), see=SLACK, explains=frozenset({Sign.OVERDUE}),
    ),
    Rule(
        id="slack-refuses", title="Slack refuses messages as malformed", likelihood=Likelihood.LIKELY,
        signs=(Sign.SLACK_REFUSES,), see=SLACK,
    ),
    Rule(
        id="slack-waits", title="Slack limits the rate: messages wait, and go out in digests",
        likelihood=Likelihood.LIKELY, signs=(Sign.SLACK_WAITS,), see=SLACK,
        explains=frozenset({Sign.OVERDUE}),
    ),
    Rule(
        id="wake-ups-lost", title="queues were purged or lost their messages; Recovery sends them anew",
        likelihood=Likelihood.LIKELY, signs=(Sign.QUEUE_PURGED, Sign.WAKE_UPS_LOST), explains=_LATE,
    ),
    Rule(
        id="claude-refuses", title="Claude does not take the key, the model or the spending: no analyses",
        likelihood=Likelihood.LIKELY, signs=(Sign.CLAUDE_REFUSES,), see=ROTATE_CLAUDE,
        explains=frozenset({Sign.CLAUDE_FAILS}),
    ),
    Rule(
        id="claude-fails", title="Claude does not answer: alerts go out without analyses, which follow later",
        likelihood=Likelihood.LIKELY, signs=(Sign.CLAUDE_FAILS,),
    ),
    Rule(
        id="poison", title="somebody sends bodies into a queue that no worker can use",
        likelihood=Likelihood.LIKELY, signs=(Sign.POISON,), see=DLQ, explains=frozenset({Sign.DEAD_LETTERS}),
    ),
    Rule(
        id="dead-letters", title="messages failed each time that they were tried",
        likelihood=Likelihood.POSSIBLE, signs=(Sign.DEAD_LETTERS,), see=DLQ,
    ),
    Rule(
        id="woken-anew", title="Recovery woke alerts anew: queues lost messages, or workers ended halfway",
        likelihood=Likelihood.POSSIBLE, signs=(Sign.RECOVERED,), explains=frozenset({Sign.OVERDUE}),
    ),
    Rule(
        id="senders-refused", title="a sender's bodies are refused", likelihood=Likelihood.POSSIBLE,
        signs=(Sign.REFUSED,), see=SENDERS,
    ),
    Rule(
        id="switched", title="an operator had one region take everything", likelihood=Likelihood.POSSIBLE,
        signs=(Sign.SWITCHED,),
    ),
    Rule(
        id="fenced", title="a region that came back leaves older alerts alone",
        likelihood=Likelihood.POSSIBLE, signs=(Sign.FENCED,), explains=_LATE,
    ),
)  # fmt: skip
"""The one that stops most first, of equally likely ones."""
