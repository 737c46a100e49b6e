"""A stream of alerts, each with a canary of its own: none is ever shown on another alert.

`STREAM` names a file of alerts, as for `make bench-signature`; without it the stream is of our own corpus.
"""

import logging
import os
import random
import re
from pathlib import Path

import pytest

from benchmarks.signature.corpus import StreamAlert, load_stream
from handlers.domain.alert import Alert
from handlers.domain.delivery.reuse.quotes import FUNCTION_WORDS
from handlers.domain.signature import signature_of
from tests.fakes.quoting_analyst import QuotingAnalyst, texts_shown
from tests.unit.handlers.builders import World, row

ROWS_KEPT = 500
ALERTS = 1_500
"""Of our own stream; a given one is run whole."""

CANARY = re.compile(r"cny[0-9a-f]{7}")


def alert_of(number: int, sent: StreamAlert, canary: str) -> Alert:
    """The row of an alert of the stream, from a pod, a host and a namespace of its own."""
    draw = random.Random(number)  # noqa: S311 - labels that are the same in every run
    component = sent.component or sent.source
    return row(
        f"a{number}",
        source=sent.source,
        title=" ".join(sent.message.split()[:8]) or "no text",
        message=sent.message or "no text",
        component=component,
        host=f"{canary}.eu.internal",
        labels={
            "pod": f"{sent.source}-{canary}-{draw.randrange(16**5):05x}",
            "namespace": draw.choice(["shop", "depot", "prod"]),
            "job": sent.source,
        },
    )


def words(text: str) -> set[str]:
    """Its words in small letters."""
    return set(re.findall(r"[^\W_]+", text.casefold()))


def test_canary_of_another_pod_is_on_no_alert(caplog: pytest.LogCaptureFixture) -> None:
    """However the model quotes it; nor is any other word that only the first alert has."""
    caplog.set_level(logging.CRITICAL)
    file = os.environ.get("STREAM")
    stream = load_stream(Path(file)) if file else load_stream(None)[:ALERTS]
    world = World()
    world.analyst = QuotingAnalyst()
    told: dict[str, set[str]] = {}
    """By signature: the words of the alert that the model was asked about."""
    for number, sent in enumerate(stream):
        canary = f"cny{number:05x}{number * 7 % 256:02x}"
        alert = alert_of(number, sent, canary)
        world.hold(alert)
        world.analysis.work(alert.alert_id, world.time())
        analysis = world.ledger.rows[alert.alert_id].analysis
        assert analysis is not None
        shown = "\n".join([analysis.summary, analysis.probable_cause, *analysis.actions])
        assert set(CANARY.findall(re.sub(r"[\W_]", "", shown.casefold()))) <= {canary}
        seen = words("\n".join(texts_shown(alert)))
        if not analysis.cached:
            told[signature_of(alert)] = seen
            continue
        assert words(shown) & (told[signature_of(alert)] - seen - FUNCTION_WORDS) == set()
        if number % ROWS_KEPT == 0:
            world.ledger.rows.clear()
    assert len(world.analyst.asked) < len(stream) / 4
