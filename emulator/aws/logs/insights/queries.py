"""StartQuery: a query's commands, one after the other, over the records of its log groups."""

import re
import time
from collections.abc import Callable
from typing import Any, Final

from ministack.core import responses
from ministack.services import cloudwatch_logs

from emulator.aws.answers import Answer, RefusalError, answer_of, refused
from emulator.aws.logs.insights.expressions import Evaluate, Reader
from emulator.aws.logs.insights.values import Row, discovered, rank, text_of

ROWS_MAX: Final = 10_000
"""Of an answer without a `limit`.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-Limit.html"""


def install() -> None:
    """Answer StartQuery here; ministack keeps the results and hands them out."""
    cloudwatch_logs._start_query = start_query  # noqa: SLF001 - the call's own handler


def start_query(data: dict[str, Any]) -> Answer:
    """Run a query to its end, or refuse it, as StartQuery."""
    try:
        groups, query = _groups(data), Query(str(data.get("queryString", "")))
    except RefusalError as refusal:
        return refused(refusal)
    since, until = data.get("startTime", 0), data.get("endTime", int(time.time()))
    records = cloudwatch_logs._collect_query_records(groups, since, until)  # noqa: SLF001 - its store, here and below
    results = query.run([discovered(record) for record in records])[: int(data.get("limit") or ROWS_MAX)]
    query_id = responses.new_uuid()
    cloudwatch_logs._queries[query_id] = {  # noqa: SLF001 - as above
        "queryId": query_id,
        "queryString": data.get("queryString"),
        "logGroupName": groups[0],
        "status": "Complete",
        "results": results,
        "statistics": {
            "recordsMatched": float(query.matched),
            "recordsScanned": float(len(records)),
            "bytesScanned": float(sum(len(record["@message"].encode()) for record in records)),
        },
    }
    return answer_of({"queryId": query_id})


def _groups(data: dict[str, Any]) -> list[str]:
    groups: list[str] = cloudwatch_logs._resolve_query_log_groups(data)  # noqa: SLF001 - as above
    if not groups:
        raise RefusalError("InvalidParameterException", "Name the log groups.")
    for group in groups:
        if group not in cloudwatch_logs._log_groups:  # noqa: SLF001 - as above
            raise RefusalError("ResourceNotFoundException", f"Log group '{group}' does not exist.")
    return groups


class Query:
    """A query that was read, to run once."""

    def __init__(self, text: str) -> None:
        """Read it.

        Raises:
            RefusalError: it is malformed, or has what the embedded AWS does not know.
        """
        self._reader = Reader(re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE))
        self._shown: list[str] = []
        self._grouped = False
        self.matched = 0
        self._steps = [self._command()]
        while self._reader.took("|"):
            self._steps.append(self._command())
        if not self._reader.ended():
            raise self._reader.refusal("unknown syntax")

    def run(self, rows: list[Row]) -> list[list[dict[str, str]]]:
        """The rows of the answer, the newest first where nothing sorts; fields that lack are left out."""
        self.matched = len(rows)
        rows = sorted(rows, key=lambda row: row["@timestamp"], reverse=True)
        for step in self._steps:
            rows = step(rows)
        shown = self._shown or ["@timestamp", "@message"]
        shown = shown if self._grouped else [*shown, "@ptr"]
        return [
            [{"field": name, "value": text_of(row[name])} for name in shown if row.get(name) is not None]
            for row in rows[:ROWS_MAX]
        ]

    def _command(self) -> Callable[[list[Row]], list[Row]]:
        word = self._reader.took("fields", "display", "filter", "stats", "sort", "limit")
        if word in ("fields", "display"):
            return self._columns(only=word == "display")
        if word == "filter":
            holds = self._reader.expression()
            return lambda rows: self._filtered(rows, holds)
        if word == "stats":
            return self._stats()
        if word == "sort":
            return self._sort()
        if word == "limit":
            limit = self._reader.whole_number()
            return lambda rows: rows[:limit]
        raise self._reader.refusal("unknown command")

    def _filtered(self, rows: list[Row], holds: Evaluate) -> list[Row]:
        found = [row for row in rows if holds(row)]
        self.matched = self.matched if self._grouped and not found else len(found)
        return found

    def _columns(self, *, only: bool) -> Callable[[list[Row]], list[Row]]:
        columns = self._list(aggregates=False)
        self._shown = [*([] if only else self._shown), *(name for name, _ in columns)]
        return lambda rows: [{**row, **{name: value(row) for name, value in columns}} for row in rows]

    def _stats(self) -> Callable[[list[Row]], list[Row]]:
        figures = self._list(aggregates=True)
        keys = self._list(aggregates=False) if self._reader.took("by") else []
        self._shown = [name for name, _ in (*keys, *figures)]
        self._grouped = True

        def grouped(rows: list[Row]) -> list[Row]:
            groups: dict[tuple[Any, ...], list[Row]] = {}
            for row in rows:
                groups.setdefault(tuple(value(row) for _, value in keys), []).append(row)
            return [
                {
                    **{name: part for (name, _), part in zip(keys, key, strict=True)},
                    **{name: value(members) for name, value in figures},
                }
                for key, members in groups.items()
            ]

        return grouped

    def _sort(self) -> Callable[[list[Row]], list[Row]]:
        orders: list[tuple[Evaluate, bool]] = []
        while not orders or self._reader.took(","):
            _, value = self._reader.named()
            orders.append((value, self._reader.took("asc", "desc") == "desc"))

        def ordered(rows: list[Row]) -> list[Row]:
            for value, descending in reversed(orders):
                rows = sorted(rows, key=lambda row: rank(value(row)), reverse=descending)
            return rows

        return ordered

    def _list(self, *, aggregates: bool) -> list[tuple[str, Evaluate]]:
        columns = [self._reader.named(aggregates=aggregates)]
        while self._reader.took(","):
            columns.append(self._reader.named(aggregates=aggregates))
        return columns
