"""A region's switch in the hands of one run of a failover or failback.

An operator's machine may sleep between two steps while somebody else turns the switch the other way. So a
run looks before it writes in the journal that it will turn the switch, and turns only what it looked at. It
always writes, also where the switch is as it should be: what a sleeping run has looked at is the past then.
"""

from clients.coordination import CoordinationRecords, VersionedRecord
from clients.deployment import Deployment
from dr.operations.journal import OperationLostError
from topology.records import switch_record


class HeldSwitch:
    """The switch of `region`; every call is to that region."""

    def __init__(self, deployment: Deployment, region: str) -> None:
        """Nothing is looked at yet."""
        self.region = region
        self._records = CoordinationRecords(deployment, region)
        self._name = switch_record(region)
        self._seen: VersionedRecord | None = None

    @property
    def since_ms(self) -> int:
        """Since when it was on when it was looked at, in epoch milliseconds; 0: it was off."""
        return _since_ms(self._seen)

    def look(self) -> None:
        """See how it is; `turn` builds on that.

        Raises:
            CoordinationUnreachableError: the region does not answer.
        """
        self._seen = self._records.read(self._name)

    def turn(self, since_ms: int) -> None:
        """Turn it on since `since_ms`, or off (0), as it was looked at.

        Raises:
            OperationLostError: somebody else has turned it since.
            CoordinationUnreachableError: it may be turned or not.
        """
        written = self._records.write(self._name, self._seen, {"since_ms": since_ms})
        # A try of ours that got no answer may have been written after all.
        if not written and _since_ms(self._records.read(self._name)) != since_ms:
            raise OperationLostError(
                f"somebody else has turned the switch of {self.region} meanwhile; see `responder dr status`"
            )

    def hold(self, since_ms: int) -> None:
        """Make sure that it is as this run turned it.

        Raises:
            OperationLostError: it is not.
            CoordinationUnreachableError: the region does not answer.
        """
        found_ms = _since_ms(self._records.read(self._name))
        if found_ms != since_ms:
            state = f"on since another time ({found_ms})" if found_ms else "off"
            raise OperationLostError(
                f"somebody else has turned the switch of {self.region}: it is {state}; "
                "see `responder dr status`, then run the one that is wanted"
            )


def _since_ms(record: VersionedRecord | None) -> int:
    return int(record.values.get("since_ms", 0)) if record else 0
