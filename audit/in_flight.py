"""Which accepted alerts are not at rest yet: what chaos experiments and load tests wait for."""

from pathlib import Path

from audit.ledger import LedgerUnreadableError, scan_ledger
from audit.outcome import AT_REST
from clients.deployment import Deployment
from clients.receipts import read_receipts


def in_flight(deployment: Deployment, receipts: Path) -> set[str]:
    """The alerts of a receipts file that are not at rest by the ledger; one without a row is not either.

    A torn receipt names no alert to wait for; the audit tells of it.

    Reads the ledger of the first region that answers, the failover's before the primary's.

    Raises:
        LedgerUnreadableError: no region answers, so nobody can say.
        ReceiptsError: the file cannot be read.
    """
    if not receipts.exists():
        return set()
    accepted = {receipt.alert_id for receipt in read_receipts(receipts)}
    return accepted - _resting(deployment) if accepted else set()


def _resting(deployment: Deployment) -> set[str]:
    last, first = deployment.regions
    try:
        return _resting_in(deployment, first.region)
    except LedgerUnreadableError:
        return _resting_in(deployment, last.region)


def _resting_in(deployment: Deployment, region: str) -> set[str]:
    return {row.alert_id for row in scan_ledger(deployment, region) if row.status in AT_REST}
