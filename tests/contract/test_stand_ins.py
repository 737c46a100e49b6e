"""The handlers' adapters against the stand-ins: what one says of a failure is what the other means by it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from msgspec.structs import replace

from emulator.claude_latency import fixed
from emulator.stand_ins.claude import ClaudeStandIn
from emulator.stand_ins.faults import KINDS, Fault, Faults
from emulator.stand_ins.slack import RateLimit, SlackStandIn
from handlers.adapters.claude import ClaudeAnalyst
from handlers.adapters.slack.bot import SlackBotNotifier
from handlers.adapters.slack.webhook import SlackNotifier
from handlers.domain.delivery.digests import digest_id_of, digest_of
from handlers.domain.delivery.messages import follow_up_of, notification_of
from handlers.domain.ports import (
    AnalystBusyError,
    AnalystFailedError,
    Notifier,
    NotifierMisaddressedError,
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
)
from tests.fakes.loop_thread import LoopThread
from tests.fakes.secrets import FakeSecret
from tests.unit.handlers.builders import REGION, one_each, row
from topology.alerts import Status

ALERT = row(status=Status.ANALYZED)


@pytest.fixture
def serve() -> Iterator[Callable[[web.Application], str]]:
    """Serves an application; gives its URL."""
    running = LoopThread()
    yield running.serve
    running.stop()


@pytest.fixture
def claude(
    serve: Callable[[web.Application], str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Faults, ClaudeAnalyst]:
    """The faults of a stand-in, and the adapter that asks it."""
    faults = Faults()
    stand_in = ClaudeStandIn(faults, latency=fixed(0))
    monkeypatch.setenv("ANTHROPIC_BASE_URL", serve(stand_in.application(REGION)))
    return faults, ClaudeAnalyst(FakeSecret(stand_in.api_key), model="claude-test")


BUSY: dict[str, float | None] = {
    "rate_limited": 1_800,
    "overloaded": None,
    "server_error": None,
    "spend_limit": 900,
    "slow": None,
    "hang": None,
    "reset": None,
    "error_as_200": None,
    "event_stream": None,
    "empty_content": None,
}
"""What passes, and for how long it says to stay away. A 200 that is no message is the service's failure."""
FAILED = {"malformed", "truncated", "refusal"}
USABLE = {"garbled_escape", "empty_action"}
"""What costs a letter or an action, and not the analysis."""


def test_every_failure_of_claude_is_judged() -> None:
    """One that is added to the stand-in has to be added here."""
    assert BUSY.keys() | FAILED | USABLE == KINDS["claude"]


@pytest.mark.parametrize(("kind", "retry_after_s"), BUSY.items())
def test_passing_failure_of_claude_is_busy(
    claude: tuple[Faults, ClaudeAnalyst], kind: str, retry_after_s: float | None
) -> None:
    """Within the time given, and with the stay-away that Claude asks for, however long."""
    faults, analyst = claude
    faults.add(Fault(service="claude", kind=kind, times=1, retry_after_s=1_800, delay_s=1.0))
    with pytest.raises(AnalystBusyError) as raised:
        analyst.analyse(ALERT, timeout_s=0.4 if kind in {"slow", "hang"} else 5)
    assert raised.value.retry_after_s == retry_after_s


@pytest.mark.parametrize("kind", sorted(FAILED))
def test_unusable_answer_of_claude_is_failed(claude: tuple[Faults, ClaudeAnalyst], kind: str) -> None:
    """For this alert; the next one is answered."""
    faults, analyst = claude
    faults.add(Fault(service="claude", kind=kind, times=1))
    with pytest.raises(AnalystFailedError):
        analyst.analyse(ALERT, timeout_s=5)
    assert analyst.analyse(ALERT, timeout_s=5).analysis.actions


@pytest.mark.parametrize("kind", sorted(USABLE))
def test_flawed_answer_of_claude_is_an_analysis(claude: tuple[Faults, ClaudeAnalyst], kind: str) -> None:
    """Without the flaw."""
    faults, analyst = claude
    faults.add(Fault(service="claude", kind=kind, times=1))
    analysis = analyst.analyse(ALERT, timeout_s=5).analysis
    assert analysis.actions
    assert all(analysis.actions)
    assert all(text.isprintable() for text in (analysis.summary, analysis.probable_cause, *analysis.actions))


@pytest.fixture(params=["webhook", "bot"])
def slack(
    request: pytest.FixtureRequest, serve: Callable[[web.Application], str], tmp_path: Path
) -> tuple[SlackStandIn, Faults, Notifier]:
    """A stand-in, its faults, and each adapter that posts to it."""
    faults = Faults()
    stand_in = SlackStandIn(tmp_path / "messages.jsonl", faults)
    url = serve(stand_in.application(REGION))
    if request.param == "bot":
        channel = stand_in.add_channel("incidents")
        return (
            stand_in,
            faults,
            SlackBotNotifier(FakeSecret(stand_in.bot_token), channel=channel, api_url=url + "/api/"),
        )
    path = stand_in.add_webhook("incidents").partition("/services/")[2]
    return stand_in, faults, SlackNotifier(FakeSecret(f"{url}/services/{path}"), allowed_origin=url + "/")


def test_alerts_digests_and_follow_ups_arrive_as_what_they_are(
    slack: tuple[SlackStandIn, Faults, Notifier],
) -> None:
    """The audit reads the marks; a follow-up is never another message about the alert to it."""
    stand_in, _, notifier = slack
    reference = notifier.post(notification_of(ALERT), timeout_s=5)
    others = [row(f"b{number}", status=Status.ANALYZED) for number in range(100)]
    notifier.post(digest_of(one_each(others)), timeout_s=5)
    edits = isinstance(notifier, SlackBotNotifier)
    assert (reference is not None) == edits
    notifier.post(follow_up_of(replace(ALERT, slack_ref=reference)), timeout_s=5)
    assert [one for message in stand_in.messages for one in message.alert_ids] == ["a1"]
    digests = [one for message in stand_in.messages for one in message.digests]
    assert digests == [(digest_id_of(alert.alert_id for alert in others), 100)]
    assert [one for message in stand_in.messages for one in message.follow_ups] == ["a1"]
    assert [message.edited for message in stand_in.messages] == [False, False, edits]


THROTTLED = {"rate_limited"}
MISADDRESSED = {"invalid_token", "no_active_hooks", "channel_is_archived"}
REFUSED = {"invalid_payload"}
REFUSED_FOR_ITS_LAYOUT = {"invalid_blocks"}
UNAVAILABLE = {
    "server_error",
    "server_error_after_accept",
    "slow",
    "hang",
    "reset",
    "reset_after_accept",
}
"""After each of these the message may have been posted, or not."""


def test_every_failure_of_slack_is_judged() -> None:
    """One that is added to the stand-in has to be added here."""
    assert KINDS["slack"] == THROTTLED | MISADDRESSED | REFUSED | REFUSED_FOR_ITS_LAYOUT | UNAVAILABLE


@pytest.mark.parametrize("kind", sorted(THROTTLED | MISADDRESSED | REFUSED | UNAVAILABLE))
def test_failure_of_slack_is_told_as_it_is(slack: tuple[SlackStandIn, Faults, Notifier], kind: str) -> None:
    """Later, hardly, or perhaps posted: each has its own error."""
    stand_in, faults, notifier = slack
    times = 2 if kind in REFUSED else 1
    faults.add(Fault(service="slack", kind=kind, times=times, retry_after_s=300, delay_s=1.0))
    expected: dict[str, type[Exception]] = dict.fromkeys(MISADDRESSED, NotifierMisaddressedError)
    expected |= dict.fromkeys(THROTTLED, NotifierThrottledError)
    expected |= dict.fromkeys(REFUSED, NotifierRefusedError)
    with pytest.raises(expected.get(kind, NotifierUnavailableError)) as raised:
        notifier.post(notification_of(ALERT), timeout_s=0.4)
    if isinstance(raised.value, NotifierThrottledError):
        assert raised.value.retry_after_s == 300
    if isinstance(raised.value, NotifierUnavailableError):
        assert raised.value.outcome_unknown
    assert len(stand_in.messages) == kind.endswith("_after_accept")


@pytest.mark.parametrize("kind", sorted(REFUSED_FOR_ITS_LAYOUT))
def test_refused_layout_is_posted_as_text_that_says_what_it_is_about(
    slack: tuple[SlackStandIn, Faults, Notifier], kind: str
) -> None:
    """Once, and the audit finds the alert in it; so for a digest and a follow-up."""
    stand_in, faults, notifier = slack
    faults.add(Fault(service="slack", kind=kind))
    notifier.post(notification_of(ALERT), timeout_s=5)
    others = [row(f"b{number}", status=Status.ANALYZED) for number in range(3)]
    notifier.post(digest_of(one_each(others)), timeout_s=5)
    notifier.post(follow_up_of(ALERT), timeout_s=5)
    alert, digest, follow_up = stand_in.messages
    assert not any("blocks" in message.payload for message in stand_in.messages)
    assert (alert.alert_ids, alert.follow_ups) == (("a1",), ())
    assert digest.digests == ((digest_id_of(other.alert_id for other in others), 3),)
    assert (follow_up.alert_ids, follow_up.follow_ups) == ((), ("a1",))


def test_limited_channel_throttles(slack: tuple[SlackStandIn, Faults, Notifier]) -> None:
    """By Slack's own 429, with the time until there is room."""
    stand_in, _, notifier = slack
    stand_in.rate_limit = RateLimit(0.5, 1)
    notifier.post(notification_of(ALERT), timeout_s=5)
    with pytest.raises(NotifierThrottledError) as raised:
        notifier.post(notification_of(ALERT), timeout_s=5)
    assert raised.value.retry_after_s == 2
