"""Point-in-time recovery, emulated: ministack reports it as on and restores the present.

`emulator.aws.host` installs it in each AWS process. A table's history begins when its recovery is enabled, as
on AWS; unlike there its latest restorable time is now (AWS is five minutes behind), it is bounded
(`table_history.WRITES_MAX`), and it ends with the process.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html
"""

# ruff: noqa: SLF001 - it corrects ministack, whose functions are private

import copy
import json
import math
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, Final

from ministack.services import dynamodb

from emulator.aws.answers import OK, Answer, RefusalError, answer_of, answering, refused
from emulator.aws.dynamodb.table_history import History, Item, Key

NO_SORT_KEY: Final = "__no_sort__"
"""Ministack's value for the sort key of a table that has none."""


_ORIGIN: Final = "RestoreSummary"
_BACKUPS_COMING: Final = "__backups_coming__"


class Recovery:
    """The histories of the tables whose point-in-time recovery is on."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since the epoch."""
        self.now_s = clock
        self._histories: dict[str, History] = {}

    def history_of(self, table: dict[str, Any]) -> History | None:
        """The history of one of ministack's tables; None while its recovery is off."""
        return self._histories.get(table["TableId"])

    def required_history_of(self, table: dict[str, Any]) -> History:
        """The history of a table.

        Raises:
            RefusalError: its recovery is off.
        """
        history = self.history_of(table)
        if history is None:
            message = f"Point in time recovery is not enabled for table '{table['TableName']}'"
            raise RefusalError("PointInTimeRecoveryUnavailableException", message)
        return history

    def install(self) -> None:
        """Have ministack's writes recorded, and calls of point-in-time recovery answered from the record."""
        set_item, remove_item = dynamodb._set_item, dynamodb._remove_item
        replaced = dynamodb._items_replaced

        def noted_set(table: dict[str, Any], pk: str, sk: str, item: Item) -> Any:
            old = set_item(table, pk, sk, item)
            self._note(table, (pk, sk), item, item)
            return old

        def noted_remove(table: dict[str, Any], pk: str, sk: str) -> Any:
            old = remove_item(table, pk, sk)
            if old is not None:
                self._note(table, (pk, sk), old, None)
            return old

        def noted_replaced(table: dict[str, Any]) -> None:
            replaced(table)
            self._begin_anew(table)

        dynamodb._set_item, dynamodb._remove_item = noted_set, noted_remove
        dynamodb._items_replaced = noted_replaced
        switch = dynamodb._update_continuous_backups
        describe = dynamodb._describe_continuous_backups
        dynamodb._update_continuous_backups = lambda data: self._switched(data, switch)
        dynamodb._describe_continuous_backups = lambda data: self._described(data, describe(data))
        dynamodb._restore_table_to_point_in_time = answering(self._restore)
        dynamodb._table_description = _with_origin(dynamodb._table_description)

    def latest_s(self, history: History) -> int:
        """The latest whole second that a restore may ask for."""
        return max(math.floor(self.now_s()), history.earliest_s)

    def _note(self, table: dict[str, Any], key: Key, item: Item, after: Item | None) -> None:
        history = self.history_of(table)
        if history is not None:
            names = [name for name in (table["pk_name"], table["sk_name"]) if name]
            history.note(key, {name: item[name] for name in names}, after, now_s=self.now_s())

    def _begin_anew(self, table: dict[str, Any]) -> None:
        if table["TableId"] in self._histories:
            self._histories[table["TableId"]] = History(items_of(table), now_s=self.now_s())

    def _switched(self, data: dict[str, Any], switch: Callable[[dict[str, Any]], Answer]) -> Answer:
        """Switch recovery on or off; a restored table refuses the first call, as on AWS."""
        table = _table(data)
        if table is not None and table.pop(_BACKUPS_COMING, False):
            message = "Backups are being enabled for the table"
            return refused(RefusalError("ContinuousBackupsUnavailableException", message))
        answer = switch(data)
        if answer[0] != OK or table is None:
            return answer
        if not dynamodb._pitr_settings.get(table["TableName"]):
            self._histories.pop(table["TableId"], None)
        elif self.history_of(table) is None:
            self._forget_deleted_tables()
            self._histories[table["TableId"]] = History(items_of(table), now_s=self.now_s())
        return self._described(data, answer)

    def _forget_deleted_tables(self) -> None:
        known = {table["TableId"] for _, table in dynamodb._tables.all_items()}
        self._histories = {name: kept for name, kept in self._histories.items() if name in known}

    def _described(self, data: dict[str, Any], answer: Answer) -> Answer:
        table = _table(data)
        history = None if table is None else self.history_of(table)
        if answer[0] != OK or history is None:
            return answer
        recovery = {
            "PointInTimeRecoveryStatus": "ENABLED",
            "EarliestRestorableDateTime": history.earliest_s,
            "LatestRestorableDateTime": self.latest_s(history),
            "RecoveryPeriodInDays": 35,
        }
        described = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}
        return answer_of({"ContinuousBackupsDescription": described})

    def _restore(self, data: dict[str, Any]) -> dict[str, Any]:
        """RestoreTableToPointInTime.

        https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_RestoreTableToPointInTime.html
        """
        source_name = data.get("SourceTableName") or data.get("SourceTableArn", "")
        source = _table({"TableName": source_name})
        if source is None:
            raise RefusalError("TableNotFoundException", f"Table not found in this region: {source_name}")
        history = self.required_history_of(source)
        latest_s, time_s = self.latest_s(history), data.get("RestoreDateTime")
        if (time_s is None) != bool(data.get("UseLatestRestorableTime")):
            message = "One of RestoreDateTime and UseLatestRestorableTime must be given"
            raise RefusalError("ValidationException", message)
        if time_s is not None and not history.earliest_s <= time_s <= latest_s:
            message = "The specified RestoreDateTime is outside of the restorable window"
            raise RefusalError("InvalidRestoreTimeException", message)
        # The latest is now, a write of a moment ago included.
        items = history.as_of(self.now_s() if time_s is None else time_s)
        origin = {
            "SourceTableArn": source["TableArn"],
            "RestoreDateTime": time_s or latest_s,
            "RestoreInProgress": False,
        }
        return {"TableDescription": restored_table(source, items, data, origin=origin)}


def _with_origin(describe: Callable[[str], dict[str, Any]]) -> Callable[[str], dict[str, Any]]:
    """Return `describe` with the origin of a restored table, which is kept in ministack's table."""

    def described(name: str) -> dict[str, Any]:
        origin = dynamodb._tables[name].get(_ORIGIN)
        return describe(name) | ({_ORIGIN: origin} if origin else {})

    return described


def items_of(table: dict[str, Any]) -> dict[Key, Item]:
    """The items of one of ministack's tables, by key."""
    return {(pk, sk): item for pk, rows in table["items"].items() for sk, item in rows.items()}


def restored_table(
    settings: dict[str, Any],
    items: list[Item],
    overrides: dict[str, Any],
    *,
    origin: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Make a new table of `items` with what AWS keeps of the settings; its description.

    Kept are keys, indexes, billing and encryption; dropped are TTL, streams, tags, point-in-time recovery,
    deletion protection, replicas and alarms. `overrides` has TargetTableName, and overrides as in the request
    of a restore; `origin` is the new table's RestoreSummary.

    Raises:
        RefusalError: there is such a table already, or the settings make none.
    """
    target = overrides.get("TargetTableName")
    if not target:
        raise RefusalError("ValidationException", "Value null at 'targetTableName': Member must not be null")
    if target in dynamodb._tables:
        raise RefusalError("TableAlreadyExistsException", f"Table already exists: {target}")
    request = dynamodb._restore_create_request(
        target, settings["KeySchema"], settings["AttributeDefinitions"],
        overrides.get("BillingModeOverride") or settings["BillingModeSummary"]["BillingMode"],
        settings.get("ProvisionedThroughput"), overrides,
        settings.get("GlobalSecondaryIndexes"), settings.get("LocalSecondaryIndexes"), [],
    )  # fmt: skip
    status, _, body = dynamodb._create_table(request)
    if status != OK:
        problem = json.loads(body)
        raise RefusalError(problem["__type"], problem["message"])
    table = dynamodb._tables[target]
    table["SSEDescription"] = copy.deepcopy(settings.get("SSEDescription"))
    table[_BACKUPS_COMING] = True
    if origin:
        table[_ORIGIN] = origin
    rows: dict[str, dict[str, Item]] = defaultdict(dict)
    for item in items:
        pk = dynamodb._extract_key_val(item[table["pk_name"]])
        sk = dynamodb._extract_key_val(item[table["sk_name"]]) if table["sk_name"] else NO_SORT_KEY
        rows[pk][sk] = item
    table["items"] = rows
    dynamodb._items_replaced(table)
    description: dict[str, Any] = dynamodb._table_description(target)
    return description


def _table(data: dict[str, Any]) -> dict[str, Any] | None:
    name = dynamodb._normalize_table_name(data.get("TableName"))
    table: dict[str, Any] | None = dynamodb._tables.get(name)
    return table
