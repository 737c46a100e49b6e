"""The analyst against a real HTTP server that speaks Claude's protocol."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pytest

from handlers.adapters.aws.secrets import Secret, SecretMissingError, SecretUnavailableError
from handlers.adapters.claude import ClaudeAnalyst
from handlers.domain.limits import MAX_ACTIONS, MAX_ANALYSIS_TEXT_CHARS
from handlers.domain.ports import AnalystBusyError, AnalystFailedError, AnalystUnconfiguredError, ModelAnswer
from tests.fakes.http_server import Answer, ScriptedServer
from tests.fakes.secrets import FakeSecret
from tests.unit.handlers.builders import row

REPLY = {"summary": "s", "probable_cause": "p", "actions": ["a", "b"], "confidence": "low"}


def message(reply: object = REPLY, *, stop_reason: str = "end_turn", text: str | None = None) -> Answer:
    """A message of Claude's whose text is `reply` as JSON, or `text`."""
    content = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-test-1",
        "content": [{"type": "text", "text": json.dumps(reply) if text is None else text}],
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 321, "output_tokens": 45},
    }
    return Answer(200, json.dumps(content).encode(), {"Content-Type": "application/json"})


def error(status: int, kind: str, words: str = "words", *, code: str | None = None, **headers: str) -> Answer:
    """An error of Claude's, with a stable code where it has one."""
    details = {"details": {"error_code": code}} if code else {}
    content = {"type": "error", "error": {"type": kind, "message": words, **details}}
    return Answer(status, json.dumps(content).encode(), {"Content-Type": "application/json"} | headers)


@pytest.fixture
def ask(
    serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[Any, ScriptedServer]]:
    """Asks once against a server with these answers; gives the outcome, raised errors included."""

    def ask_once(
        *answers: Answer, key: Secret | None = None, timeout_s: float = 5
    ) -> tuple[Any, ScriptedServer]:
        server = serve(*answers)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        analyst = ClaudeAnalyst(key or FakeSecret("sk-test"), model="claude-test")
        try:
            return analyst.analyse(row(host="db-7", message="disk full"), timeout_s=timeout_s), server
        except (AnalystBusyError, AnalystFailedError, AnalystUnconfiguredError) as raised:
            return raised, server

    return ask_once


def test_answer_becomes_an_analysis(ask: Callable[..., Any]) -> None:
    """Text, model and tokens come from the answer."""
    answer, _ = ask(message())
    assert isinstance(answer, ModelAnswer)
    assert (answer.analysis.summary, answer.analysis.actions) == ("s", ("a", "b"))
    assert (answer.analysis.model, answer.analysis.cached) == ("claude-test-1", False)
    assert (answer.input_tokens, answer.output_tokens) == (321, 45)


def test_request_holds_the_schema_and_the_alert_as_data(ask: Callable[..., Any]) -> None:
    """The alert is JSON in the user's message, and nothing of it is in our own words."""
    _, server = ask(message())
    (heard,) = server.heard
    sent = json.loads(heard.body)
    assert (heard.path, heard.headers["authorization"]) == ("/v1/messages", "Bearer sk-test")
    assert sent["model"] == "claude-test"
    assert sent["output_config"]["format"]["type"] == "json_schema"
    assert sent["output_config"]["format"]["schema"]["required"] == list(REPLY)
    (turn,) = sent["messages"]
    shown = json.loads(turn["content"])
    assert (shown["message"], shown["host"]) == ("disk full", "db-7")
    assert "db-7" not in sent["system"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "rate_limit_error"),
        (529, "overloaded_error"),
        (500, "api_error"),
        (503, "api_error"),
        (408, "timeout_error"),
    ],
)
def test_passing_trouble_is_busy_and_not_retried_inside(
    ask: Callable[..., Any], status: int, kind: str
) -> None:
    """The SDK's own retries are off: it would sleep the server's wish beyond the invocation."""
    raised, server = ask(error(status, kind, **{"retry-after": "7"}))
    assert isinstance(raised, AnalystBusyError)
    assert raised.retry_after_s == 7
    assert str(status) in str(raised)
    assert len(server.heard) == 1


@pytest.mark.parametrize("header", ["soon", "-1", "nan", "inf", "Wed, 21 Oct 2026 07:28:00 GMT"])
def test_nonsense_in_retry_after_is_ignored(ask: Callable[..., Any], header: str) -> None:
    """No number, no wish."""
    raised, _ = ask(error(529, "overloaded_error", **{"retry-after": header}))
    assert raised.retry_after_s is None


@pytest.mark.parametrize("status", [400, 413, 422])
def test_refused_request_is_failed(ask: Callable[..., Any], status: int) -> None:
    """Asking again will not help."""
    raised, server = ask(error(status, "invalid_request_error"))
    assert isinstance(raised, AnalystFailedError)
    assert str(raised) == f"Claude answered {status} invalid_request_error"
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    "answer",
    [
        error(
            400, "invalid_request_error", "You have reached your specified API usage limits. You will regain"
        ),
        error(400, "invalid_request_error", "You have reached your specified workspace API usage limits."),
        error(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
        error(402, "billing_error"),
        error(429, "rate_limit_error", code="enforced_spend_limit_reached"),
        error(400, "invalid_request_error", code="organization_on_hold"),
    ],
)
def test_spent_limit_is_busy_for_long(ask: Callable[..., Any], answer: Answer) -> None:
    """It is about the account, not about this alert: nobody asks for a quarter of an hour."""
    raised, server = ask(answer)
    assert isinstance(raised, AnalystBusyError)
    assert raised.retry_after_s == 900
    assert "spend limit" in str(raised)
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    "words",
    ["messages: Your credit balance is too low", "title: You have reached your specified usage limits"],
)
def test_alert_that_speaks_of_a_spent_limit_is_not_believed(ask: Callable[..., Any], words: str) -> None:
    """An error that repeats the alert's text cannot keep everybody from asking."""
    raised, _ = ask(error(400, "invalid_request_error", words))
    assert isinstance(raised, AnalystFailedError)


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"error": {"message": 5, "type": 7}}', b"<html>"])
def test_error_in_another_form_is_judged_by_its_status(ask: Callable[..., Any], body: bytes) -> None:
    """A proxy's error pages have no type and no words."""
    refused, _ = ask(Answer(400, body, {"Content-Type": "application/json"}))
    assert isinstance(refused, AnalystFailedError)
    busy, _ = ask(Answer(502, body, {"Content-Type": "application/json"}))
    assert isinstance(busy, AnalystBusyError)


@pytest.mark.parametrize(
    "answer",
    [
        message(text="I cannot say."),
        message(text="[" * 100_000),
        message(text='{"summary": "\\ud800"}'),
        message({"summary": "s"}),
        message(REPLY | {"summary": ""}),
        message(REPLY | {"confidence": "certain"}),
        message(REPLY | {"actions": "a"}),
        message(REPLY | {"actions": [1]}),
        message([]),
        message(stop_reason="max_tokens"),
        message(stop_reason="refusal"),
    ],
)
def test_unusable_answer_is_failed(ask: Callable[..., Any], answer: Answer) -> None:
    """Text, a truncated or malformed object, or a refusal is never stored."""
    raised, _ = ask(answer)
    assert isinstance(raised, AnalystFailedError)


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>",
        b"{}",
        b"[]",
        b"",
        b'{"content": 1}',
        b'{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}',
        b'event: message_start\ndata: {"type": "message_start"}\n\n',
    ],
)
def test_200_that_is_no_message_is_a_failure_of_the_service(ask: Callable[..., Any], garbage: bytes) -> None:
    """A proxy's page, an error object and an event stream are tried again, and the alert is followed up."""
    raised, _ = ask(Answer(200, garbage, {"Content-Type": "text/html"}))
    assert isinstance(raised, AnalystBusyError)


@pytest.mark.parametrize("text", ["", " \n"])
def test_message_that_says_nothing_is_a_failure_of_the_service(ask: Callable[..., Any], text: str) -> None:
    """The model ended its turn and said no word."""
    raised, _ = ask(message(text=text))
    assert isinstance(raised, AnalystBusyError)


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        (r"disk \ud83d full", "disk \ufffd full"),
        (r"disk \ude00 full", "disk \ufffd full"),
        (r"fast \u00g1 voll", "fast \ufffd voll"),
        (r"path C:\logs", "path C:\ufffdogs"),
        (r"grin \ud83d\ude00, tab \t, quote \"", 'grin \U0001f600, tab \t, quote "'),
        (r"back \\ud83d slash", r"back \ud83d slash"),
    ],
)
def test_garbled_escape_costs_one_character(ask: Callable[..., Any], text: str, summary: str) -> None:
    """Not the whole analysis. A good escape, and a backslash that is itself escaped, stay as they are."""
    reply = f'{{"summary": "{text}", "probable_cause": "c", "actions": ["a"], "confidence": "low"}}'
    answer, _ = ask(message(text=reply))
    assert answer.analysis.summary == summary


def test_empty_action_is_left_out(ask: Callable[..., Any]) -> None:
    """The others are as good as before."""
    answer, _ = ask(message(REPLY | {"actions": ["clean", "", " "]}))
    assert answer.analysis.actions == ("clean",)


def test_long_answer_is_cut(ask: Callable[..., Any]) -> None:
    """The model cannot fill the ledger."""
    long = "x" * 10_000
    answer, _ = ask(
        message({"summary": long, "probable_cause": long, "actions": [long] * 50, "confidence": "high"})
    )
    assert len(answer.analysis.summary) == MAX_ANALYSIS_TEXT_CHARS
    assert [len(action) for action in answer.analysis.actions] == [MAX_ANALYSIS_TEXT_CHARS] * MAX_ACTIONS


def test_silence_ends_at_the_timeout(ask: Callable[..., Any]) -> None:
    """The time given is the time taken."""
    started = time.monotonic()
    raised, _ = ask(Answer(hang=True), timeout_s=0.2)
    assert 0.2 <= time.monotonic() - started < 1.0
    assert isinstance(raised, AnalystBusyError)


@pytest.mark.parametrize("part", ["headers", "body"])
def test_dripping_answer_ends_at_the_timeout(
    ask: Callable[..., Any], part: Literal["headers", "body"]
) -> None:
    """A byte now and then keeps a socket alive for ever, but not the call."""
    started = time.monotonic()
    raised, _ = ask(Answer(drip=part), timeout_s=0.3)
    assert time.monotonic() - started < 1.0
    assert isinstance(raised, AnalystBusyError)
    assert "in time" in str(raised)


def test_next_call_after_one_that_was_given_up_is_answered(
    serve: Callable[..., ScriptedServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was given up takes its connection along, and nothing else."""
    server = serve(Answer(drip="body"), message())
    monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
    analyst = ClaudeAnalyst(FakeSecret("sk-test"), model="claude-test")
    with pytest.raises(AnalystBusyError):
        analyst.analyse(row(), timeout_s=0.2)
    assert analyst.analyse(row(), timeout_s=5).analysis.summary == "s"


def test_call_that_is_given_up_leaves_those_beside_it_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two alerts of a batch ask at once: one has no time left, the other still gets its answer."""
    slow = ScriptedServer([message()], delay_s=0.6)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", slow.url)
    analyst = ClaudeAnalyst(FakeSecret("sk-test"), model="claude-test")
    try:
        with ThreadPoolExecutor(2) as threads:
            patient = threads.submit(analyst.analyse, row(), timeout_s=10)
            with pytest.raises(AnalystBusyError):
                analyst.analyse(row(), timeout_s=0.3)
            assert patient.result().analysis.summary == "s"
    finally:
        slow.stop()


def test_reset_connection_is_busy(ask: Callable[..., Any]) -> None:
    """The network's trouble passes."""
    raised, _ = ask(Answer(reset=True))
    assert isinstance(raised, AnalystBusyError)


def test_rotated_key_is_read_again_at_once(ask: Callable[..., Any]) -> None:
    """A key that Claude refuses is read again; the next request has the new one."""
    answer, server = ask(error(401, "authentication_error"), message(), key=FakeSecret("sk-old", "sk-new"))
    assert isinstance(answer, ModelAnswer)
    assert [heard.headers["authorization"] for heard in server.heard] == ["Bearer sk-old", "Bearer sk-new"]


@pytest.mark.parametrize(("status", "kind"), [(401, "authentication_error"), (403, "permission_error")])
def test_refused_key_is_busy_after_one_more_try(ask: Callable[..., Any], status: int, kind: str) -> None:
    """The alert goes out and is followed up, nobody hammers meanwhile, and no key is in the reason."""
    raised, server = ask(error(status, kind))
    assert isinstance(raised, AnalystBusyError)
    assert raised.retry_after_s == 60
    assert len(server.heard) == 2
    assert "sk-test" not in str(raised)


def test_model_that_is_not_there_is_busy(ask: Callable[..., Any]) -> None:
    """A retired one is for an operator to replace; what went without its analysis is followed up then."""
    raised, server = ask(error(404, "not_found_error"))
    assert isinstance(raised, AnalystBusyError)
    assert raised.retry_after_s == 60
    assert len(server.heard) == 1


@pytest.mark.parametrize(
    ("problem", "expected"),
    [
        (SecretMissingError("the secret x is empty"), AnalystUnconfiguredError),
        (SecretUnavailableError("the secret x cannot be read"), AnalystBusyError),
    ],
)
def test_secret_that_cannot_be_had_is_told_apart(
    ask: Callable[..., Any], problem: Exception, expected: type[Exception]
) -> None:
    """Missing is for an operator, unreachable passes."""
    raised, server = ask(message(), key=FakeSecret(problem))
    assert isinstance(raised, expected)
    assert server.heard == []


def test_redirect_does_not_carry_the_key_away(
    ask: Callable[..., Any], serve: Callable[..., ScriptedServer]
) -> None:
    """A key goes to Claude's address and nowhere else."""
    elsewhere = serve(message())
    raised, _ = ask(Answer(307, b"", {"Location": elsewhere.url + "/v1/messages"}))
    assert isinstance(raised, AnalystFailedError)
    assert elsewhere.heard == []
