"""The audit of an experiment: its own receipts against each region's ledger against what Slack received."""

from audit.outcome import UNEXPLAINED, Audit
from audit.stack import audit_stack
from chaos.target import Target
from topology.config_keys import STRONG


def audit_experiment(target: Target) -> Audit:
    """Compare the three records. Regions that are lost now are left out; any other must answer.

    Raises:
        LedgerUnreadableError: one does not.
    """
    return audit_stack(
        target.deployment,
        receipts=target.receipts,
        slack=target.slack_messages(),
        lost_regions=target.lost_regions(),
    )


def problem_count(audit: Audit) -> int:
    """Alerts not accounted for, receipts not readable and, under a strong ledger, unexplained duplicates."""
    unexplained = (audit.duplicates_by_cause or {}).get(UNEXPLAINED, 0)
    return audit.unaccounted + audit.unread + (unexplained if audit.consistency == STRONG else 0)
