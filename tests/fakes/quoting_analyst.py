"""An analyst that quotes all that it was shown of an alert, in the ways that a model may."""

import json
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from handlers.domain.alert import Alert, Analysis
from handlers.domain.delivery.prompt import prompt_of
from handlers.domain.ports import ModelAnswer

_WORD: Final = re.compile(r"[^\W_]+")

FORMS: Final[tuple[Callable[[str], str], ...]] = (
    str,
    str.upper,
    str.lower,
    str.title,
    lambda text: f"`{text}`",
    lambda text: f"“{text}”",
    lambda text: f"{text}'s",
    lambda text: text.split(".")[0],
    lambda text: text.rsplit("-", maxsplit=1)[-1],
    lambda text: text[: len(text) // 2 + 1],
    lambda text: "".join(_WORD.findall(text)),
    lambda text: "_".join(_WORD.findall(text)),
    lambda text: " ".join(_WORD.findall(text)),
    lambda text: re.sub(r"\b\d{4,15}\b", lambda number: f"{int(number[0]):,}", text),
    lambda text: re.sub(r"\b\d{4,15}\b", lambda number: f"{int(number[0]) / 1000:.1f} k", text),
    lambda text: re.sub(r"\b\d{3,15}\b", lambda number: f"{int(number[0]) / 3600:.2f} h", text),
)
"""What a model makes of a name or a value."""

SENTENCES: Final = (
    "It is {0}.",
    "Host {0} has it, and {1} too!",
    "The message says {0}, i.e. {1}.",
    "Wait 5 minutes, then look at {0} and {0}.",
    "A literal {{=host}} and {{?x}} beside {0}: is it {1}?",
    "See {0}/{1}.",
)


def texts_shown(alert: Alert) -> list[str]:
    """All that the model sees of an alert, whole texts and their words."""
    shown = json.loads(prompt_of(alert))
    labels = shown.pop("labels", {})
    shown.pop("labels_left_out", None)
    texts = [str(text) for text in (*shown.values(), *labels, *labels.values()) if text]
    return texts + [word for text in texts for word in text.split()]


@dataclass
class QuotingAnalyst:
    """`Analyst` whose answers quote the alert, another way each time; the same ones for the same seed."""

    seed: int = 1
    asked: list[str] = field(default_factory=list)

    def analyse(self, alert: Alert, *, timeout_s: float) -> ModelAnswer:
        """See `Analyst`."""
        assert timeout_s > 0
        self.asked.append(alert.alert_id)
        draw = random.Random(f"{self.seed} {len(self.asked)}")  # noqa: S311 - a seeded choice, no secret
        sentences = _sentences(texts_shown(alert), draw)
        analysis = Analysis(
            summary=" ".join(next(sentences) for _ in range(4)),
            probable_cause="\n".join(next(sentences) for _ in range(3)),
            actions=tuple(next(sentences) for _ in range(3)),
            confidence="low",
            model="claude-test",
        )
        return ModelAnswer(analysis=analysis, input_tokens=100, output_tokens=50)


def _sentences(texts: list[str], draw: random.Random) -> Iterator[str]:
    while True:
        quotes = [draw.choice(FORMS)(draw.choice(texts)) for _ in range(2)]
        yield draw.choice(SENTENCES).format(*quotes)
