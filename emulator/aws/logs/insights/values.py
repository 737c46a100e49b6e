"""Values of a query: what a log line's fields are, how they compare, and how an answer shows them."""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

Row = Mapping[str, Any]

_LAMBDA: Final = re.compile(r"(START|END|REPORT) RequestId: (\S+)")
_FIGURE: Final = re.compile(
    r"(Duration|Billed Duration|Init Duration|Memory Size|Max Memory Used): ([\d.]+) "
)
_FIGURES: Final = {
    "Duration": ("@duration", 1),
    "Billed Duration": ("@billedDuration", 1),
    "Init Duration": ("@initDuration", 1),
    "Memory Size": ("@memorySize", 1_000_000),
    "Max Memory Used": ("@maxMemoryUsed", 1_000_000),
}
"""Of a REPORT line, the times in milliseconds and the memory in bytes: AWS lists most of the fields, and has
their units in its samples alone.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_AnalyzeLogData-discoverable-fields.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/CWL_QuerySyntax-examples.html
https://docs.aws.amazon.com/lambda/latest/dg/snapstart-monitoring.html"""


class Instant(int):
    """Epoch milliseconds, shown as a time."""

    __slots__ = ()


def discovered(record: Row) -> dict[str, Any]:
    """The fields of one of ministack's records: AWS's own, those of a JSON line, and those of Lambda's."""
    text = str(record["@message"])
    own = {name: value for name, value in record.items() if not name.startswith("_")}
    own["@timestamp"] = Instant(record["_timestamp_ms"])
    if lambda_line := _LAMBDA.match(text):
        own |= {"@type": lambda_line[1], "@requestId": lambda_line[2]}
        own |= {_FIGURES[name][0]: float(value) * _FIGURES[name][1] for name, value in _FIGURE.findall(text)}
    elif text.startswith("{"):
        try:
            own |= dict(_flat(json.loads(text), ""))
        except (ValueError, RecursionError):
            return own
    return own


def _flat(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif value is not None:
        yield path, value


def number(value: Any) -> float | None:
    """The value as a number, if it is one or reads as one."""
    try:
        return value if isinstance(value, int) else float(value)
    except (TypeError, ValueError):
        return None


def rank(value: Any) -> tuple[bool, float, str]:
    """Where a value stands in an order: numbers first, then texts, what is not there last."""
    found = number(value)
    return (
        value is None,
        float("inf") if found is None else found,
        "" if found is not None else text_of(value),
    )


def equal(left: Any, right: Any) -> bool:
    """Whether two values are the same number, or the same text."""
    return left is not None and right is not None and rank(left) == rank(right)


def text_of(value: Any) -> str:
    """How an answer shows a value."""
    if isinstance(value, Instant):
        return f"{datetime.fromtimestamp(value / 1_000, UTC):%Y-%m-%d %H:%M:%S}.{value % 1_000:03d}"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(round(value, 4))
    return str(value)
