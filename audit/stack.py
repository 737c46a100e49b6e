"""The audit of a deployed stack: reads each record where it is."""

from collections.abc import Collection, Iterable
from pathlib import Path

from audit.comparison import EVER, SlackPost, Window, compare
from audit.ledger import scan_ledger
from audit.outcome import Audit
from clients.deployment import Deployment
from clients.receipts import BodyReceipt, Receipt, Unread, scan_receipts


def audit_stack(
    deployment: Deployment,
    *,
    receipts: Path | Iterable[Receipt | BodyReceipt | Unread],
    slack: Iterable[SlackPost] | None,
    window: Window = EVER,
    lost_regions: Collection[str] = (),
    problems_file: Path | None = None,
) -> Audit:
    """Compare the receipts, a sender's file or others, with each region's ledger and with Slack's record.

    `slack` None where Slack cannot be read. `lost_regions` are left out because the caller knows that they
    cannot answer; any other that does not answer is an error, since its alerts are unknown.

    Raises:
        ReceiptsError: the file cannot be read.
        LedgerUnreadableError: a region's ledger does not answer.
    """
    regions = [e.region for e in deployment.regions if e.region not in lost_regions]
    return compare(
        receipts=scan_receipts(receipts) if isinstance(receipts, Path) else receipts,
        ledgers={region: scan_ledger(deployment, region) for region in regions},
        slack=slack,
        consistency=deployment.ledger_consistency,
        window=window,
        problems_file=problems_file,
    )
