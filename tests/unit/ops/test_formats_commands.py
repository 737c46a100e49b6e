"""`responder formats`: what would be understood of a body, without a stack and without sending it."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from handlers.domain.formats import FORMATS
from ops.cli import app

SOURCES = {
    "probes": {
        "match": "probe && results",
        "alerts": "results",
        "ignore": "verdict == 'skipped'",
        "title": "name",
        "severity": "level",
        "severities": {"red": "critical"},
        "links": {"source": "url"},
    }
}
BODY = {
    "probe": "eu-1",
    "results": [
        {"name": "login", "level": "red", "url": "https://probes.example.com/1"},
        {"name": "search", "level": "mauve"},
        {"name": "cart", "verdict": "skipped"},
    ],
}


@pytest.fixture
def body(tmp_path: Path) -> Path:
    """A body of the source under trial."""
    path = tmp_path / "body.json"
    path.write_text(json.dumps(BODY))
    return path


def sources_file(tmp_path: Path, content: object) -> str:
    """A file for `--sources`."""
    path = tmp_path / "sources.yaml"
    path.write_text(yaml.safe_dump(content))
    return str(path)


def responder(*words: str, typed: str = "") -> Any:
    """What a person types."""
    return CliRunner().invoke(app, ["formats", *words], input=typed, env={"COLUMNS": "160"})


@pytest.mark.parametrize(
    "content", [SOURCES, {"config": {"aws:region": "us-east-1", "mcp-incident-responder:sources": SOURCES}}]
)
def test_a_source_under_trial_is_read_alone_or_from_a_stacks_file(
    body: Path, tmp_path: Path, content: object
) -> None:
    """All that is understood is shown: severities and their words, links, ids, what is ignored and why."""
    tried = responder("try", str(body), "--sources", sources_file(tmp_path, content))
    assert tried.exit_code == 0, tried.output
    said = " ".join(tried.output.replace("│", " ").split())
    for words in (
        "taken as probes; alerts: 2",
        "severity by `level`",
        "title login severity CRITICAL",
        "severity MEDIUM (the default: its word 'mauve' is not known)",
        '{"source": "https://probes.example.com/1"}',
        "event id none: repeats are known by the content",
        "ignored 2: `verdict == 'skipped'` is true of it",
        "next: send it to the webhook",
    ):
        assert words in said, words


def test_the_same_is_there_for_scripts(body: Path, tmp_path: Path) -> None:
    """Every alert with its place in the body."""
    tried = responder("try", str(body), "--sources", sources_file(tmp_path, SOURCES), "--json")
    document = json.loads(tried.stdout)
    assert document["format"] == "probes"
    assert [(alert["index"], alert["title"]) for alert in document["alerts"]] == [(0, "login"), (1, "search")]
    assert all(name.isidentifier() for name in document["alerts"][0])
    assert document["ignored"] == [{"index": 2, "reason": "`verdict == 'skipped'` is true of it"}]


def test_a_built_in_format_needs_no_sources_and_no_file() -> None:
    """From standard input."""
    body = {"version": "4", "alerts": [{"labels": {"alertname": "DiskFull"}}, 5]}
    tried = responder("try", "-", "--json", typed=json.dumps(body))
    assert tried.exit_code == 1
    document = json.loads(tried.stdout)
    assert document["format"] == "alertmanager"
    assert [member["field"] for member in document["refused"]] == ["alerts[1]"]


def test_a_body_of_no_format_says_which_there_are_and_what_to_do(body: Path) -> None:
    """Exit 1: nobody would be told of it."""
    tried = responder("try", str(body))
    assert tried.exit_code == 1
    assert "unknown_format" in tried.output
    assert "--sources FILE" in tried.output
    as_json = responder("try", str(body), "--json")
    assert json.loads(as_json.stdout)["refused"][0]["http_status"] == 422


def test_a_header_chooses_a_source(body: Path, tmp_path: Path) -> None:
    """As in the request itself, whatever its case."""
    chosen = {"other": {"title": "probe"}}
    words = ("try", str(body), "--sources", sources_file(tmp_path, chosen), "--json")
    assert responder(*words).exit_code == 1
    tried = responder(*words, "--header", "X-Alert-Source: other")
    assert json.loads(tried.stdout)["alerts"][0]["title"] == "eu-1"


def test_every_problem_of_sources_under_trial_is_reported_together(body: Path, tmp_path: Path) -> None:
    """Of their form and of their paths; exit 1."""
    wrong = {"generic": {"title": "a["}, "probes": {"titel": "b"}}
    tried = responder("try", str(body), "--sources", sources_file(tmp_path, wrong))
    assert tried.exit_code == 1
    problems = str(tried.exception)
    for place in (
        "sources.generic:",
        "sources.generic.title:",
        "sources.probes.titel:",
        "sources.probes.title:",
    ):
        assert place in problems


@pytest.mark.parametrize(
    "words",
    [
        ("try", "no-such-file"),
        ("try", "{body}", "--sources", "no-such-file"),
        ("try", "{body}", "--header", "no header"),
        ("try", "{body}", "--sources", "{broken}"),
    ],
)
def test_what_cannot_be_read_is_wrong_use(words: tuple[str, ...], body: Path, tmp_path: Path) -> None:
    """Exit 2, with the name of it."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("a: [")
    tried = responder(*(word.format(body=body, broken=broken) for word in words))
    assert tried.exit_code == 2


def test_every_format_is_listed_with_its_identity_and_severity(tmp_path: Path) -> None:
    """In the order in which they are asked: sources before those of last resort."""
    listed = json.loads(responder("list", "--json", "--sources", sources_file(tmp_path, SOURCES)).stdout)
    assert {row["format"] for row in listed} == {"probes", *(known.name for known in FORMATS)}
    assert listed[-1]["format"] == "generic"
    assert listed[-2] == {
        "format": "probes", "configured": True, "event_id": "none", "episode": "none", "sent_at": "none",
        "resolution": "none", "severity": "`level`",
    }  # fmt: skip
    assert all(row["severity"] and row["event_id"] for row in listed)
    assert "alertmanager" in responder("list").stdout


def test_what_a_sender_wrote_cannot_control_the_terminal() -> None:
    """Escape sequences come out as question marks."""
    body = {"source": "x", "title": "\x1b[31mred", "severity": "\x1b]0;title\x07"}
    tried = responder("try", "-", typed=json.dumps(body))
    assert "\x1b" not in tried.output
    assert "?[31mred" in tried.output


def test_a_body_that_is_no_alert_says_so_once_and_is_no_failure() -> None:
    """A monitor's own test, for one: exit 0, with the reason."""
    body = {"event": {"id": "1", "event_type": "pagey.ping", "data": {"message": "hi", "type": "ping"}}}
    tried = responder("try", "-", typed=json.dumps(body))
    assert tried.exit_code == 0, tried.output
    assert tried.output.count("ignored") == 1
    assert "answered 200, and nobody is told" in tried.output


def test_a_message_of_several_lines_keeps_them() -> None:
    """As Slack shows it."""
    tried = responder("try", "-", typed=json.dumps({"source": "x", "title": "y", "message": "one\ntwo"}))
    assert "one?two" not in tried.output
    assert "two" in tried.output
