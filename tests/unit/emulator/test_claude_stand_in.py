"""The stand-in for Claude, driven by the real SDK: structured answers, usage, and every failure."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import anthropic
import pytest
import urllib3
from aiohttp import web

from clients.waiting import wait_for
from emulator.claude_latency import fixed
from emulator.stand_ins.claude import ClaudeStandIn
from emulator.stand_ins.faults import Fault, FaultError, Faults
from emulator.stand_ins.schema_sample import SchemaError, sample, title_of
from emulator.stand_ins.slack import RateLimit
from tests.fakes.loop_thread import LoopThread

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "summary": {"type": "string"},
        "actions": {"type": "array", "items": {"type": "string"}},
        "confidence": {"type": "string", "enum": ["low", "medium", "high"]},
    },
    "required": ["summary", "actions", "confidence"],
    "additionalProperties": False,
}
PROMPT = 'Analyse this alert.\n{\n  "title": "Disk full on db-1",\n  "severity": "HIGH"\n}'


@dataclass
class Claude:
    """A served stand-in."""

    stand_in: ClaudeStandIn
    faults: Faults
    url: str

    def ask(self, *, key: str | None = None, **options: Any) -> anthropic.types.Message:
        """Ask by the SDK, without its own retries."""
        client = anthropic.Anthropic(
            api_key=key or self.stand_in.api_key, base_url=self.url, max_retries=0, timeout=5
        )
        return client.messages.create(
            model="claude-haiku-4-5",
            max_tokens=500,
            messages=[{"role": "user", "content": PROMPT}],
            output_config={"format": {"type": "json_schema", "schema": SCHEMA}},
            **options,
        )

    def meets(self, kind: str, **options: Any) -> None:
        """Have the next request meet a fault."""
        self.faults.add(Fault(service="claude", kind=kind, times=1, **options))


@pytest.fixture
def claude(serve: Callable[[web.Application], str]) -> Claude:
    """A stand-in without faults that answers at once."""
    faults = Faults()
    stand_in = ClaudeStandIn(faults, latency=fixed(0))
    return Claude(stand_in=stand_in, faults=faults, url=serve(stand_in.application("us-east-1")))


def text_of(message: anthropic.types.Message) -> str:
    """The text of a message's one block."""
    [block] = message.content
    assert block.type == "text"
    return block.text


def test_answer_fits_the_schema_and_speaks_of_the_alert(claude: Claude) -> None:
    """Structured output, token counts, and the call on record."""
    message = claude.ask()
    answer = json.loads(text_of(message))
    assert answer.keys() == SCHEMA["properties"].keys()
    assert "Disk full on db-1" in answer["summary"]
    assert answer["actions"]
    assert answer["confidence"] == "high", "the value that the prompt mentions"
    assert message.stop_reason == "end_turn"
    assert message.usage.input_tokens > 10
    [call] = claude.stand_in.calls
    assert (call.status, call.model, call.region) == (200, "claude-haiku-4-5", "us-east-1")
    assert call.output_tokens == message.usage.output_tokens > 0


def test_answer_quotes_the_alert_as_a_model_does() -> None:
    """Its host, a label and its message, so that people see whether a cached answer fits."""
    alert = {"title": "a < b", "host": "db-7", "message": "disk at 93 %", "labels": {"pod": "cart-x2m9q"}}
    answer = sample(SCHEMA, json.dumps(alert).replace("<", r"\u003c"))
    assert answer["summary"] == "a < b: the affected component on db-7 is degraded and needs attention."
    assert "deployment of pod cart-x2m9q;" in answer["actions"][0]
    assert "component on db-7:" in answer["actions"][1]
    cause = sample({"properties": {"cause": {"type": "string"}}}, json.dumps(alert))["cause"]
    assert cause.endswith("Its message says “disk at 93 %”.")


def test_requests_are_kept_as_they_came(claude: Claude) -> None:
    """Also those that fail: a test sees all that was sent, and a secret in it."""
    claude.meets("overloaded")
    with pytest.raises(anthropic.APIStatusError):
        claude.ask(system="first")
    claude.ask(system="second")
    assert [json.loads(body)["system"] for body in claude.stand_in.requests] == ["first", "second"]


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [
        ("rate_limited", anthropic.RateLimitError, 429),
        ("overloaded", anthropic.InternalServerError, 529),
        ("server_error", anthropic.InternalServerError, 500),
        ("spend_limit", anthropic.BadRequestError, 400),
    ],
)
def test_failure_has_the_real_shape(
    claude: Claude, kind: str, error: type[anthropic.APIStatusError], status: int
) -> None:
    """The SDK raises what it raises for the real API."""
    claude.meets(kind)
    with pytest.raises(error) as raised:
        claude.ask()
    assert raised.value.status_code == status
    assert isinstance(raised.value.body, dict)
    assert raised.value.body["type"] == "error"
    assert raised.value.request_id == raised.value.body["request_id"]
    assert claude.stand_in.calls[-1].status == status


def test_rate_limit_says_how_long_to_wait_and_an_overload_does_not(claude: Claude) -> None:
    """`retry-after` is a rate limit's."""
    claude.meets("rate_limited", retry_after_s=9)
    with pytest.raises(anthropic.RateLimitError) as limited:
        claude.ask()
    assert limited.value.response.headers["retry-after"] == "9"
    claude.meets("overloaded")
    with pytest.raises(anthropic.APIStatusError) as overloaded:
        claude.ask()
    assert "retry-after" not in overloaded.value.response.headers


def test_calls_beyond_the_limit_are_refused_at_once_with_the_time_to_wait(claude: Claude) -> None:
    """However long an answer takes; what is refused is a call that was made, for who counts them."""
    claude.stand_in.rate_limit = RateLimit(per_s=0.25, burst=1)
    claude.ask()
    claude.stand_in.latency_s = 60
    with pytest.raises(anthropic.RateLimitError) as limited:
        claude.ask()
    assert limited.value.response.headers["retry-after"] == "4"
    assert [call.status for call in claude.stand_in.calls] == [200, 429]


def test_wrong_key_is_refused_before_a_fault_is_used_up(claude: Claude) -> None:
    """401, as for a revoked key."""
    claude.meets("overloaded")
    with pytest.raises(anthropic.AuthenticationError):
        claude.ask(key="sk-ant-wrong")
    assert len(claude.faults.in_force) == 1


def test_key_in_the_header_of_the_api_reference_is_accepted(claude: Claude) -> None:
    """As with curl."""
    body = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "title: hello"}]}
    headers = {"x-api-key": claude.stand_in.api_key, "anthropic-version": "2023-06-01"}
    answer = urllib3.request("POST", f"{claude.url}/v1/messages", json=body, headers=headers)
    assert answer.status == HTTPStatus.OK
    assert "hello" in answer.json()["content"][0]["text"]
    del headers["anthropic-version"]
    answer = urllib3.request("POST", f"{claude.url}/v1/messages", json=body, headers=headers)
    assert answer.json()["error"]["message"] == "anthropic-version: header is required"


@pytest.mark.parametrize(
    "body", [b"no json", b"[" * 100_000, b"[]", b"{}", b'{"model": "m", "max_tokens": 1}']
)
def test_body_that_is_no_request_is_refused(claude: Claude, body: bytes) -> None:
    """400 invalid_request_error, never a 500."""
    headers = {"x-api-key": claude.stand_in.api_key, "anthropic-version": "2023-06-01"}
    answer = urllib3.request("POST", f"{claude.url}/v1/messages", body=body, headers=headers)
    assert answer.status == HTTPStatus.BAD_REQUEST
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_truncated_answer_is_marked_and_cut(claude: Claude) -> None:
    """stop_reason max_tokens, and JSON that does not end."""
    claude.meets("truncated")
    message = claude.ask()
    assert message.stop_reason == "max_tokens"
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(text_of(message))


def test_malformed_answer_looks_whole_and_is_not(claude: Claude) -> None:
    """A normal stop reason over text that is no JSON."""
    claude.meets("malformed")
    message = claude.ask()
    assert message.stop_reason == "end_turn"
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        json.loads(text_of(message))


def test_refusal_has_no_content(claude: Claude) -> None:
    """stop_reason refusal."""
    claude.meets("refusal")
    message = claude.ask()
    assert (message.stop_reason, message.content) == ("refusal", [])


def raw(claude: Claude) -> urllib3.BaseHTTPResponse:
    """Ask without the SDK, which makes a message of whatever came."""
    body = {
        "model": "m",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": PROMPT}],
        "output_config": {"format": {"type": "json_schema", "schema": SCHEMA}},
    }
    headers = {"x-api-key": claude.stand_in.api_key, "anthropic-version": "2023-06-01"}
    answer = urllib3.request("POST", f"{claude.url}/v1/messages", json=body, headers=headers)
    assert answer.status == HTTPStatus.OK
    return answer


def test_error_object_may_come_with_200(claude: Claude) -> None:
    """In the shape of an error, which is no message."""
    claude.meets("error_as_200")
    answer = raw(claude).json()
    assert (answer["type"], answer["error"]["type"]) == ("error", "overloaded_error")
    call = claude.stand_in.calls[-1]
    assert (call.status, call.stop_reason, call.output_tokens) == (200, None, 0)


def test_event_stream_may_come_unasked(claude: Claude) -> None:
    """The whole message in events, as if `stream` had been asked for."""
    claude.meets("event_stream")
    answer = raw(claude)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in answer.data.decode().splitlines() if line.startswith("data: ")]
    assert [event["type"] for event in events] == [
        "message_start", "ping", "content_block_start", "content_block_delta", "content_block_stop",
        "message_delta", "message_stop",
    ]  # fmt: skip
    assert json.loads(events[3]["delta"]["text"]).keys() == SCHEMA["properties"].keys()


def test_message_may_have_no_content(claude: Claude) -> None:
    """And end as if it had."""
    claude.meets("empty_content")
    message = claude.ask()
    assert (message.stop_reason, message.content) == ("end_turn", [])


def test_escape_in_the_text_may_be_garbled(claude: Claude) -> None:
    """Only the escape is wrong: with it replaced the text is an answer."""
    claude.meets("garbled_escape")
    text = text_of(claude.ask())
    with pytest.raises(ValueError, match="escape"):
        json.loads(text)
    mended = json.loads(text.replace(r"\u00g1", "").replace(r"\ud83d", ""))
    assert "Disk full on db-1" in mended["summary"]


def test_one_action_may_be_empty(claude: Claude) -> None:
    """The others are as ever."""
    claude.meets("empty_action")
    answer = json.loads(text_of(claude.ask()))
    assert answer["actions"][0] == ""
    assert all(answer["actions"][1:])


@pytest.mark.parametrize("kind", ["reset", "hang"])
def test_dropped_connection_is_a_connection_error(claude: Claude, kind: str) -> None:
    """No answer at all."""
    claude.meets(kind, delay_s=0.05)
    with pytest.raises(anthropic.APIConnectionError):
        claude.ask()


def test_slow_answer_outlasts_an_impatient_client(claude: Claude) -> None:
    """The SDK's own timeout, without retries."""
    claude.meets("slow", delay_s=1.0)
    with pytest.raises(anthropic.APITimeoutError):
        claude.ask(timeout=0.1)


def test_slow_answer_comes_once_the_fault_is_cleared(claude: Claude, loop_thread: LoopThread) -> None:
    """Though it would take an hour, and the fault was met already."""

    async def clear() -> None:
        claude.faults.clear()

    claude.meets("slow", delay_s=3_600)
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(claude.ask, timeout=60)
        wait_for(lambda: claude.stand_in.requests, bool, within_s=60)
        loop_thread.run(clear())
    assert answer.result().stop_reason == "end_turn"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "integer", "minimum": 3, "maximum": 5}, 4),
        ({"type": "number"}, 0.7),
        ({"type": "number", "maximum": 0.5}, 0.5),
        ({"type": "boolean"}, True),
        ({"type": ["null", "boolean"]}, True),
        ({"anyOf": [{"type": "null"}, {"const": "x"}]}, "x"),
        ({"$ref": "#/$defs/one", "$defs": {"one": {"const": 1}}}, 1),
        ({"type": "array", "items": {"const": 1}, "minItems": 3}, [1, 1, 1]),
        ({"type": "array", "items": {"const": 1}, "maxItems": 1}, [1]),
        ({"type": "null"}, None),
        ({"type": "string", "maxLength": 5}, "value"),
    ],
)
def test_sample_follows_the_schemas_words(schema: dict[str, Any], value: Any) -> None:
    """Every word of JSON Schema that structured output allows."""
    assert sample(schema, "title: x") == value


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/absent"},
        {"$ref": "#"},
        {"type": "whatever"},
        {"$ref": "#/$defs/loop", "$defs": {"loop": {"$ref": "#/$defs/loop"}}},
    ],
)
def test_impossible_schema_is_an_error(schema: dict[str, Any]) -> None:
    """Never an endless walk or an empty answer."""
    with pytest.raises(SchemaError):
        sample(schema, "title: x")


@pytest.mark.parametrize(
    ("prompt", "title"),
    [
        ("Title: Disk full\nmore", "Disk full"),
        ('{"title": "Disk full", "x": 1}', "Disk full"),
        ('  "title": "Disk full",', "Disk full"),
        ("\n\nfirst line\nsecond", "first line"),
        ("", "an alert without text"),
        ("title: " + "x" * 500, "x" * 160),
    ],
)
def test_title_is_found_in_any_prompt(prompt: str, title: str) -> None:
    """A label, a JSON line, or the first line."""
    assert title_of(prompt) == title


@pytest.mark.parametrize(
    "fault",
    [
        Fault(service="claude", kind="channel_is_archived"),
        Fault(service="slack", kind="overloaded"),
        Fault(service="slack", kind="hang", times=0),
        Fault(service="slack", kind="hang", delay_s=-1),
    ],
)
def test_fault_that_makes_no_sense_is_refused(fault: Fault) -> None:
    """Nothing silently accepts."""
    faults = Faults()
    with pytest.raises(FaultError):
        faults.add(fault)
    assert faults.in_force == ()


def test_faults_are_met_in_order_and_cleared() -> None:
    """The oldest that fits first; clearing leaves none."""
    faults = Faults()
    faults.add(Fault(service="claude", kind="overloaded", times=1))
    faults.add(Fault(service="claude", kind="server_error"))
    met = [faults.meet("claude", "r"), faults.meet("claude", "r"), faults.meet("claude", "r")]
    assert [one.kind for one in met if one] == ["overloaded", "server_error", "server_error"]
    assert faults.meet("slack", "r") is None
    faults.clear()
    assert faults.meet("claude", "r") is None
