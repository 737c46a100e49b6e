"""A decision about an event: which rule, what it came to, and by which figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

from handlers.domain.redaction import redacted


class Rule(StrEnum):
    """The rules by which it is decided what becomes of an event. docs/runbook.md names them to people."""

    REFUSED = "refused"
    IGNORED = "ignored"
    ACCEPTED = "accepted"
    SAME_BYTES = "same bytes"
    IDENTITY = "identity"
    MENDED = "mended"
    LEFT_OUT = "left out by the sender"
    SEVERITY = "severity"
    RESOLUTION = "resolution"
    REPEAT = "repeat window"
    STATE_CHANGE = "change of state"
    PARENT_PARKED = "parent parked"
    QUOTA = "source quota"
    SILENCE = "silence"
    SYNTHETIC = "synthetic"
    ROUTE = "route"
    UNUSABLE_ROUTE = "unusable route"
    INCIDENT = "incident"
    ANALYSIS = "analysis"
    AT_WORK = "at work"
    SLACK = "Slack"
    DIGEST = "digest"
    DUPLICATE = "possible duplicate"
    PARKED = "parked"
    ACKNOWLEDGED = "acknowledged"
    SECOND_WAY = "second way"
    RECEIPT = "receipt"
    LOG = "log"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What `rule` came to. `what` is one sentence for people; text of alerts in it is hostile.

    `at_ms`: when, in epoch milliseconds; None where nobody kept it. `known_from`: the ledger, the
    configuration as it is now, or a function's log. `decides`: it is why the alert stands where it does.
    """

    rule: Rule
    what: str
    at_ms: int | None = None
    figures: Mapping[str, object] = field(default_factory=dict)
    known_from: str = "ledger"
    decides: bool = False

    def without_secrets(self) -> Self:
        """The same decision: what it quotes of the sender redacted, and who of us decided it named."""
        emails = self.rule not in {Rule.ACKNOWLEDGED, Rule.SILENCE}
        figures = {
            name: redacted(value, emails=emails) if isinstance(value, str) else value
            for name, value in self.figures.items()
        }
        return replace(self, what=redacted(self.what, emails=emails), figures=figures)
