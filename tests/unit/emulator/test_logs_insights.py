"""Insights queries of the embedded CloudWatch Logs."""

import json
from typing import Any

import pytest

from emulator.aws.answers import RefusalError
from emulator.aws.logs.insights.queries import Query
from emulator.aws.logs.insights.values import discovered

AT_MS = 1_795_420_800_123
REPORT = (
    "REPORT RequestId: r1\tDuration: 12.5 ms\tBilled Duration: 13 ms"
    "\tMemory Size: 512 MB\tMax Memory Used: 0 MB"
)
MESSAGES = (
    json.dumps({"message": "Using cached analysis", "level": "INFO", "n": 3}),
    json.dumps({"message": "Claude analysis", "level": "INFO", "n": 4.5, "a": {"b": [1, 2]}}),
    REPORT,
    json.dumps({"message": "The cache did not answer", "level": "WARNING"}),
)


def run(query: str) -> list[dict[str, str]]:
    """The rows of the answer, over a minute's line each."""
    records: list[dict[str, Any]] = [
        {"@ptr": str(number), "@message": text, "@logStream": "s", "_timestamp_ms": AT_MS + number * 60_000}
        for number, text in enumerate(MESSAGES)
    ]
    answer = Query(query).run([discovered(record) for record in records])
    return [{cell["field"]: cell["value"] for cell in row} for row in answer]


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (
            "fields @timestamp, @message | filter @message like /Using cached analysis/ | stats count()",
            [{"count()": "1"}],
        ),
        ("stats avg(@duration)", [{"avg(@duration)": "12.5"}]),
        (
            """fields @timestamp
               | filter @message like /cache/
               | stats count(*) as total,
                       sum(@message like /Using cached/) as hits
               | fields hits / total * 100 as hit_rate""",
            [{"total": "2", "hits": "1", "hit_rate": "50"}],
        ),
        ("filter @message like /Claude analysis/ | stats count()", [{"count()": "1"}]),
    ],
)
def test_the_queries_of_the_old_runbook_answer_a_figure(query: str, rows: list[dict[str, str]]) -> None:
    """As they stand there."""
    assert run(query) == rows


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        (
            "stats count(*) as lines by level | sort lines desc, level asc | limit 2",
            [{"level": "INFO", "lines": "2"}, {"level": "WARNING", "lines": "1"}],
        ),
        (
            "filter ispresent(n) | stats max(n), min(n), sum(n), pct(n, 50), count_distinct(level) as levels",
            [{"max(n)": "4.5", "min(n)": "3", "sum(n)": "7.5", "pct(n, 50)": "4.5", "levels": "1"}],
        ),
        (
            "stats count() as lines by bin(2m) as at | sort at",
            [
                {"at": "2026-11-23 08:00:00.000", "lines": "2"},
                {"at": "2026-11-23 08:02:00.000", "lines": "2"},
            ],
        ),
        ("filter level = 'INFO' and n > 3.5 | display n, a.b.1", [{"n": "4.5", "a.b.1": "2", "@ptr": "1"}]),
        (
            "filter not (level in ['INFO', 'WARNING']) | display @memorySize",
            [{"@memorySize": "512000000", "@ptr": "2"}],
        ),
        ("filter message not like 'cache' and level != 'WARNING' | fields n", [{"n": "4.5", "@ptr": "1"}]),
        ("filter message like /CACHE DID/i | display strlen(level) as l", [{"l": "7", "@ptr": "3"}]),
        ("filter level = 'NONE' | stats count()", []),
        (
            "sort @timestamp asc | limit 1 | display @timestamp",
            [{"@timestamp": "2026-11-23 08:00:00.123", "@ptr": "0"}],
        ),
        ("# a comment\nlimit 1 | display level", [{"level": "WARNING", "@ptr": "3"}]),
    ],
)
def test_commands_follow_one_another(query: str, rows: list[dict[str, str]]) -> None:
    """The newest line comes first where nothing sorts; a field that a line lacks is left out."""
    assert run(query) == rows


@pytest.mark.parametrize(
    "query",
    [
        "",
        "parse @message '*' as x",
        "fields a | dedup b",
        "stats n",
        "stats foo(n)",
        "fields nope(n)",
        "filter",
        "filter n = 'b",
        "limit x",
        "fields strlen(a, b)",
        "filter n =",
        "stats count() by",
        "fields n n",
        "filter n like /(/",
    ],
)
def test_what_is_malformed_or_unknown_here_is_refused(query: str) -> None:
    """It never answers something else than AWS would."""
    with pytest.raises(RefusalError) as refused:
        Query(query)
    assert refused.value.code == "MalformedQueryException"
