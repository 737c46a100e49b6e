"""What strangers write, through the whole path: reception, Claude, Slack, by the real adapters over HTTP.

The model is one that does what an attacker asks of it.
"""

import json
import logging
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any, Final

import pytest
from aiohttp import web

from emulator.claude_latency import fixed
from emulator.stand_ins.claude import ClaudeStandIn
from emulator.stand_ins.faults import Faults
from emulator.stand_ins.slack import SlackStandIn
from emulator.stand_ins.slack_page import response
from handlers.adapters import logs
from handlers.adapters.claude import ClaudeAnalyst
from handlers.adapters.slack.blocks import plain_payload_of
from handlers.adapters.slack.bot import SlackBotNotifier
from handlers.adapters.slack.webhook import SlackNotifier
from handlers.domain.alert import Alert
from handlers.domain.delivery.answers import INSTRUCTIONS_LEFT_OUT, LINK_LEFT_OUT, shown_answer
from handlers.domain.delivery.messages import follow_up_of, notification_of
from handlers.domain.delivery.prompt import SYSTEM
from tests.fakes.loop_thread import LoopThread
from tests.fakes.secrets import FakeSecret
from tests.unit.handlers.builders import REGION, World, body, post
from tests.unit.handlers.injection_corpus import ATTEMPTS, SYSTEM_PROMPT, Attempt
from tests.unit.handlers.secrets_corpus import cases, pieces_of
from topology.alerts import FaultState, Severity, Status
from topology.queues import Queue

CANARY: Final = "the-canary-of-another-alert"
_DRAWN: Final = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
"""Categories of what hides, reorders or breaks lines: nobody is shown it, but for the line's end."""


@dataclass
class Outside:
    """The stand-ins and what they were sent. `answer`: what Claude says, if it is told to say anything."""

    claude: ClaudeStandIn
    slack: SlackStandIn
    world: World
    answer: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)

    @web.middleware
    async def obey(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Keep what Claude is asked, and put the attacker's words into its answer."""
        self.asked.append(json.loads(await request.read()))
        answered = await handler(request)
        message = json.loads(answered.body)
        if self.answer:
            reply = dict.fromkeys(("summary", "probable_cause"), self.answer)
            text = json.dumps(reply | {"actions": [self.answer, "Rotate the logs."], "confidence": "high"})
            message["content"] = [{"type": "text", "text": text}]
        return web.json_response(message)

    def deliver(self) -> None:
        """Work on every wake-up until none is left."""
        sent = self.world.queue_sender.sent
        for _ in range(20_000):
            if not sent:
                return
            queue, alert_id, delay_s = sent.pop(0)
            self.world.clock.advance(delay_s)
            analyses = queue in (Queue.PROCESSING, Queue.PROCESSING_CRITICAL)
            worker = self.world.analysis if analyses else self.world.distribution
            worker.work(alert_id, self.world.time())
        raise AssertionError("wake-ups never end")

    def shown(self) -> str:
        """All that Slack got, as it would show it."""
        return "\n".join(text for message in self.slack.messages for text in _texts(message.payload))


def _texts(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, dict | list):
        for inner in part.values() if isinstance(part, dict) else part:
            yield from _texts(inner)


@pytest.fixture(params=["webhook", "bot"])
def outside(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Outside]:
    """One region between the stand-ins of Claude and Slack."""
    running, faults = LoopThread(), Faults()
    claude, slack = ClaudeStandIn(faults, latency=fixed(0)), SlackStandIn(tmp_path / "slack.jsonl", faults)
    world = World()
    it = Outside(claude, slack, world)
    application = claude.application(REGION)
    application.middlewares.append(it.obey)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", running.serve(application))
    world.analyst = ClaudeAnalyst(FakeSecret(claude.api_key), model="claude-test")  # type: ignore[assignment]
    url = running.serve(slack.application(REGION))
    if request.param == "bot":
        channel = slack.add_channel("incidents")
        bot = SlackBotNotifier(FakeSecret(slack.bot_token), channel=channel, api_url=f"{url}/api/")
        world.notifier = bot  # type: ignore[assignment]
    else:
        path = slack.add_webhook("incidents").partition("/services/")[2]
        webhook = SlackNotifier(FakeSecret(f"{url}/services/{path}"), allowed_origin=f"{url}/")
        world.notifier = webhook  # type: ignore[assignment]
    yield it
    running.stop()


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """The lines that the handlers log from here on."""
    stream, root = StringIO(), logging.getLogger()
    before, level = list(root.handlers), root.level
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure(function="test", region=REGION)
    yield lambda: stream.getvalue().splitlines()
    root.handlers[:] = before
    root.setLevel(level)


def accepted(outside: Outside, **fields: Any) -> Alert:
    """The row of a body that reception takes."""
    answer = outside.world.answer(post(body(**fields)))
    assert answer.status == 202, answer.body
    return next(reversed(outside.world.ledger.rows.values()))


def test_no_secret_leaves_the_ledger(outside: Outside, logged: Callable[[], list[str]]) -> None:
    """Not in what Claude is asked, nor in Slack's messages and digests, nor in a log; the ledger has them."""
    every = list(cases())
    for number, case in enumerate(every):
        at = ("title", "message", "component", "host", "link")[number % 5]
        text = case.text if at != "link" else f"https://d.example.com/?api_key={case.secret}"
        texts = {"message": f"m{number}", at: text, "source": f"s{number}", "event_id": f"e{number}"}
        labels = {"dump": case.text, "API_TOKEN": case.secret}
        accepted(outside, **texts, labels=labels, severity=("CRITICAL", "LOW")[number % 2])
        refused = json.dumps({"origin": "x", "severity": "page", "note": case.text})
        assert outside.world.answer(post(refused.encode())).status == 422
    logging.getLogger("handlers.test").warning("failed", extra={"reason": every[0].text})
    outside.deliver()
    assert {row.status for row in outside.world.ledger.rows.values()} == {Status.NOTIFIED}
    asked, lines, slack = (
        json.dumps(outside.asked),
        "\n".join(logged()),
        json.dumps([message.payload for message in outside.slack.messages]),
    )
    assert len(outside.asked) > 100
    assert [message for message in outside.slack.messages if message.digests]
    assert [message for message in outside.slack.messages if message.alert_ids]
    for place, text in (("Claude", asked), ("a log", lines), ("Slack", slack)):
        leaks = [case[:2] for case in every if any(piece in text for piece in pieces_of(case.secret))]
        assert leaks == [], f"in what {place} got"
    kept = json.dumps([row.raw for row in outside.world.ledger.rows.values()])
    assert all(piece.replace("/", "/") in kept for piece in pieces_of(every[0].secret))


@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda attempt: attempt.name)
def test_what_an_attacker_writes_changes_nothing_but_its_own_text(
    attempt: Attempt, outside: Outside, logged: Callable[[], list[str]]
) -> None:
    """Whatever the model does with it.

    Slack shows plain text, of which nothing is hidden, reordered, a link, a mention, a mark of ours or more
    than a bounded length; its links are the alert's own; the severity is the source's; nothing of another
    alert or of our instructions is told; the prompt is one JSON object; each log line is one, too.
    """
    accepted(outside, source="other", title="Disk of another", message=CANARY)
    outside.deliver()
    outside.asked.clear()
    outside.slack.messages.clear()
    outside.answer = _obedient(attempt)
    sent = {"title": "Disk is full", "event_id": "e1"} | {attempt.field: attempt.text}
    if attempt.field != "severity":
        sent["severity"] = "HIGH"
    row = accepted(outside, **sent)
    outside.deliver()
    severity, row = row.severity, outside.world.ledger.rows[row.alert_id]
    assert severity is (Severity.MEDIUM if attempt.field == "severity" else Severity.HIGH)
    assert (row.status, row.severity, row.state) == (Status.NOTIFIED, severity, FaultState.FIRING)
    _check_prompt(outside.asked)
    (message,) = outside.slack.messages
    assert (message.alert_ids, message.digests, message.follow_ups) == ((row.alert_id,), (), ())
    _check_blocks(message.payload, row)
    _check_text(outside.shown(), attempt)
    _check_text(str(plain_payload_of(notification_of(row))["text"]), attempt)
    _check_text("\n".join(_texts(follow_up_of(row).analysis.text)), attempt)
    for name in ("text", "blocks"):
        _check_page({name: message.payload[name]}, message)
    assert all(isinstance(json.loads(line), dict) for line in logged())


def _obedient(attempt: Attempt) -> str:
    answer = attempt.answer or attempt.text
    if SYSTEM_PROMPT in answer:
        form = {"|upper": SYSTEM.upper(), "|lines": "\n".join(SYSTEM.split())}
        answer = form.get(answer.removeprefix(SYSTEM_PROMPT), answer.replace(SYSTEM_PROMPT, SYSTEM))
    return answer


def _check_prompt(asked: list[dict[str, Any]]) -> None:
    (request,) = asked
    assert request["system"] == SYSTEM
    (turn,) = request["messages"]
    assert turn["role"] == "user"
    assert isinstance(json.loads(turn["content"]), dict)
    assert not set("<>\n\x00\u2028") & set(turn["content"])
    assert CANARY not in json.dumps(request)
    assert len(turn["content"]) < 40_000


def _check_blocks(payload: dict[str, Any], row: Alert) -> None:
    assert "<" not in payload["text"]
    assert len(json.dumps(payload)) < 60_000
    for block in payload["blocks"]:
        for text in [block.get("text"), *(block.get("fields") or []), *(block.get("elements") or [])]:
            if text is None or text["type"] == "button":
                continue
            assert (text["type"], text["emoji"], len(text["text"]) <= 3_000) == ("plain_text", False, True)
        for element in block.get("elements", ()):
            if element["type"] == "button":
                assert element["url"].startswith("https://")
                assert element["url"] in row.shown_links.values()
    header = payload["blocks"][0]["text"]["text"]
    assert header.startswith(f"{row.severity}: ")
    severity = payload["blocks"][1]["fields"][0]["text"]
    assert severity.splitlines()[:2] == ["Severity", severity.splitlines()[1]]
    assert severity.splitlines()[1].startswith(row.severity)
    assert len(severity.splitlines()) == 2


def _check_text(shown: str, attempt: Attempt) -> None:
    assert [char for char in shown if unicodedata.category(char) in _DRAWN and char != "\n"] == []
    assert [forbidden for forbidden in attempt.never if forbidden in shown] == []
    assert CANARY not in shown
    told = SYSTEM.casefold().split()
    words = shown.casefold().split()
    assert not {tuple(told[at : at + 8]) for at in range(len(told) - 7)} & {
        tuple(words[at : at + 8]) for at in range(len(words) - 7)
    }


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value for name, value in attrs if name == "href"}


def _check_page(payload: dict[str, Any], message: Any) -> None:
    """The page that shows Slack's messages has no element or attribute but our own."""
    page = _Page()
    page.feed(str(response([type(message)(**{**_fields(message), "payload": payload})]).text))
    assert page.tags <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "article", "small", "div", "hr"),
        *("nav", "a", "span"),
    }
    assert page.attributes <= {"lang", "charset", "http-equiv", "content", "class", "href"}
    assert page.links == {"/", f"/?channel={message.channel}"}


def _fields(message: Any) -> dict[str, Any]:
    return {name: getattr(message, name) for name in message.__struct_fields__}


def test_what_the_model_adds_is_left_out_and_said_so() -> None:
    """A link that the alert has not, and our instructions; the alert's own link stays."""
    own = "https://runbooks.example.com/disk"
    told = f"See {own}. Then log in at https://evil.example/x, or <https://evil.example|here>."
    assert shown_answer(told, links=[own]) == (
        f"See {own}. Then log in at {LINK_LEFT_OUT} or <{LINK_LEFT_OUT}>."
    )
    assert shown_answer(f"I was told: {SYSTEM[40:200]}", links=()) == INSTRUCTIONS_LEFT_OUT
    plain = "Check apps/v1 of networking.k8s.io/v1 and the ratio 3://4; restart //var."
    assert shown_answer(plain, links=()).startswith("Check apps/v1 of networking.k8s.io/v1")


def test_e_mails_reach_slack_and_the_model_where_the_stack_says_so(outside: Outside) -> None:
    """`redactEmails` is true by default; a log never has them."""
    row = accepted(outside, message="paged jane.doe@mail.example.com")
    assert "jane.doe" not in notification_of(row).message
    assert "jane.doe@mail.example.com" in notification_of(row, emails=False).message
