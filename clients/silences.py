"""The silences that people make: one record of the coordination table, written through either region.

`responder silence` uses it; the handlers read the record (`handlers.domain.silences`).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final, TypeVar

from clients.coordination import CoordinationRecords, CoordinationUnreachableError, VersionedRecord
from clients.deployment import Deployment, RegionEndpoints
from clients.failover import Failover, NoRegionAnswersError
from clients.rows import read_items
from handlers.adapters.aws.items import plain_of
from handlers.adapters.aws.silences import SILENCES_TEXT
from handlers.domain.limits import REST_RETENTION_S
from handlers.settings import variable
from topology.alerts import Severity, silenced_key
from topology.errors import ExplainedError
from topology.functions import ANALYSIS
from topology.records import SILENCES
from topology.silences import (
    MAX_SILENCES,
    MAX_STORED_CHARS,
    Silence,
    read_stored,
    stored_text,
    unpacked_silences,
)
from topology.tables import OPEN_INDEX, TIMESTAMP_INDEX

T = TypeVar("T")

MAX_COUNTED: Final = 10_000
"""Silenced alerts of a region that are counted."""

MAX_ACCEPTED: Final = 500
"""Alerts of a severity that are looked at for what a silence would have silenced."""

_TRIES: Final = 5


@dataclass(frozen=True, kw_only=True)
class AcceptedAlert:
    """What a matcher looks at of a row."""

    source: str
    title: str
    severity: Severity
    component: str | None = None
    host: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


class SilenceError(ExplainedError):
    """The silence cannot be made, changed or ended so; the message says how it can."""


class MadeSilences:
    """The record. What one region does not answer is asked of the other."""

    def __init__(self, deployment: Deployment) -> None:
        """Nothing is read yet."""
        self._deployment = deployment
        self._failover = Failover()

    def read(self) -> tuple[Silence, ...]:
        """All of the record, those that are over among them. A malformed one silences nothing: none.

        Raises:
            CoordinationUnreachableError: no region answers.
        """
        return self._ask_records(lambda records: _silences(records.read(SILENCES)))

    def add(self, silence: Silence, *, now_s: int) -> None:
        """Make `silence`.

        Raises:
            SilenceError: another is about the same alerts, or the record is full.
            CoordinationUnreachableError: no region answers; it may have been made or not.
        """

        def with_it(known: tuple[Silence, ...]) -> tuple[Silence, ...]:
            if silence in known:
                return known
            for other in known:
                if other.until_s > now_s and other.matcher.is_same(silence.matcher):
                    raise SilenceError(
                        f"{other.silence_id} silences the same alerts, until another time; change that one "
                        f"by `responder silence extend {other.silence_id}`, or end it before"
                    )
            return (*known, silence)

        self._change(with_it, now_s=now_s)

    def extend(self, silence_id: str, *, until_s: int, now_s: int) -> Silence:
        """Have the silence end later; what it silenced before is silenced on.

        Raises:
            SilenceError: there is none that is not over, or it ends later already.
            CoordinationUnreachableError: no region answers.
        """

        def longer(silence: Silence) -> Silence:
            if silence.until_s > until_s:
                raise SilenceError(
                    f"{silence_id} ends later than that; end it by `responder silence end {silence_id}`, "
                    "and make another"
                )
            return _ending(silence, until_s)

        return self._changed_one(silence_id, longer, now_s=now_s)

    def end(self, silence_id: str, *, now_s: int) -> Silence:
        """Have the silence end now: Recovery looks at what it silenced within a minute.

        Raises:
            SilenceError: there is none that is not over.
            CoordinationUnreachableError: no region answers.
        """
        return self._changed_one(silence_id, lambda silence: _ending(silence, now_s), now_s=now_s)

    def configured(self) -> tuple[Silence, ...]:
        """Those of the stack's configuration, as analysis has them.

        Raises:
            CoordinationUnreachableError: no region answers.
        """
        variables = self._ask(
            lambda endpoints: self._deployment.environment(ANALYSIS, endpoints.region),
            "no region says which silences are configured",
        )
        return unpacked_silences(variables.get(variable("alert_silences"), ""))

    def counts(self) -> Counter[str]:
        """How many alerts each silence has silenced now, by its id, up to `MAX_COUNTED` a region.

        Raises:
            CoordinationUnreachableError: no region answers.
        """
        return self._ask_dynamodb(self._counts)

    def accepted_since(self, since_s: int) -> list[AcceptedAlert]:
        """The alerts accepted since then, of each severity the last `MAX_ACCEPTED`.

        Raises:
            CoordinationUnreachableError: no region answers.
        """
        return self._ask_dynamodb(lambda dynamodb: self._accepted(dynamodb, since_s))

    def _accepted(self, dynamodb: Any, since_s: int) -> list[AcceptedAlert]:
        names = [part.name for part in fields(AcceptedAlert)]
        found: list[AcceptedAlert] = []
        for severity in Severity:
            pages = dynamodb.get_paginator("query").paginate(
                TableName=self._deployment.alerts_table,
                IndexName=TIMESTAMP_INDEX.name,
                KeyConditionExpression="#severity = :severity AND #timestamp >= :since",
                ExpressionAttributeNames={f"#{name}": name for name in (*names, "timestamp")},
                ExpressionAttributeValues={":severity": {"S": severity}, ":since": {"N": str(since_s)}},
                ProjectionExpression=", ".join(f"#{name}" for name in names),
                ScanIndexForward=False,
                PaginationConfig={"MaxItems": MAX_ACCEPTED},
            )
            found += [AcceptedAlert(**plain_of(item)) for page in pages for item in page["Items"]]
        return found

    def _ask_dynamodb(self, question: Callable[[Any], T]) -> T:
        clients = self._deployment.clients
        return self._ask(
            lambda endpoints: question(clients.client("dynamodb", endpoints.region)),
            "no region's ledger answers",
        )

    def _ask(self, question: Callable[[RegionEndpoints], T], unanswered: str) -> T:
        try:
            return self._failover.ask(self._deployment.regions, question)
        except NoRegionAnswersError as error:
            raise CoordinationUnreachableError(
                f"{unanswered}: {error}; bring one back, then try again"
            ) from error.last

    def _counts(self, dynamodb: Any) -> Counter[str]:
        table = self._deployment.alerts_table
        ids: list[str] = []
        for endpoints in self._deployment.regions:
            pages = dynamodb.get_paginator("query").paginate(
                TableName=table,
                IndexName=OPEN_INDEX.name,
                KeyConditionExpression="open_key = :key",
                ExpressionAttributeValues={":key": {"S": silenced_key(endpoints.region)}},
                ProjectionExpression="alert_id",
                PaginationConfig={"MaxItems": MAX_COUNTED},
            )
            ids += [item["alert_id"]["S"] for page in pages for item in page["Items"]]
        rows = map(plain_of, read_items(dynamodb, table, ids, attributes=("silence_id",)))
        return Counter(str(row["silence_id"]) for row in rows if row.get("silence_id"))

    def _changed_one(self, silence_id: str, change: Callable[[Silence], Silence], *, now_s: int) -> Silence:
        changed: list[Silence] = []

        def with_change(known: tuple[Silence, ...]) -> tuple[Silence, ...]:
            found = [one for one in known if one.silence_id == silence_id]
            if not found:
                raise SilenceError(
                    f"{silence_id}: no such silence was made by command; `responder silence list` has them, "
                    "and one of the configuration is changed there, by a deployment"
                )
            if found[0].until_s <= now_s:
                raise SilenceError(f"{silence_id} is over already; `responder silence list` has the others")
            changed[:] = [change(found[0])]
            return tuple(changed[0] if one.silence_id == silence_id else one for one in known)

        self._change(with_change, now_s=now_s)
        return changed[0]

    def _change(self, edit: Callable[[tuple[Silence, ...]], tuple[Silence, ...]], *, now_s: int) -> None:
        """Write what `edit` makes of the silences, under the record's version; again if others wrote."""

        def written(records: CoordinationRecords) -> bool:
            for _ in range(_TRIES):
                before = records.read(SILENCES)
                text = stored_text(_kept(edit(_silences(before)), now_s))
                if len(text) > MAX_STORED_CHARS:
                    raise SilenceError("the silences take too much room; end some, or say less in them")
                if records.write(SILENCES, before, {SILENCES_TEXT: text}):
                    return True
            raise SilenceError("others change the silences at the same time; try again")

        self._ask_records(written)

    def _ask_records(self, question: Callable[[CoordinationRecords], T]) -> T:
        return self._ask(
            lambda endpoints: question(CoordinationRecords(self._deployment, endpoints.region)),
            "no region's record of silences answers",
        )


def _ending(silence: Silence, until_s: int) -> Silence:
    return replace(silence, until_s=until_s, due_s=(*silence.due_s, silence.until_s))


def _last_s(silence: Silence) -> int:
    """The last time that anything waits for because of it."""
    return max(silence.until_s, *silence.due_s, 0)


def _kept(silences: Sequence[Silence], now_s: int) -> tuple[Silence, ...]:
    """Without those that no row names any more; the longest over goes first, where room is short.

    Raises:
        SilenceError: too many are not over.
    """
    kept = sorted(
        (one for one in silences if _last_s(one) > now_s - REST_RETENTION_S), key=_last_s, reverse=True
    )
    if len(kept) > MAX_SILENCES and _last_s(kept[MAX_SILENCES]) > now_s:
        raise SilenceError(f"there are {MAX_SILENCES} silences already; end one of them first")
    return tuple(sorted(kept[:MAX_SILENCES], key=lambda one: one.from_s))


def _silences(record: VersionedRecord | None) -> tuple[Silence, ...]:
    try:
        return read_stored(str(record.values[SILENCES_TEXT])) if record else ()
    except (KeyError, ValueError):
        return ()
