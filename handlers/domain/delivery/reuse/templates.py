"""An answer of the model as a template, and the template filled for another alert of its signature.

What the answer quotes of its own alert becomes the slot that it stands in, and `fitted` puts there what the
other alert has. A sentence or action that says more of the first alert, in whatever form, demands that the
other has it too, and is left out where it has not: no name or value of one alert is shown on another.

A template is text: `{=title.0|label:pod}` is what all of these slots have, `{=host/0-1/w-w.w}` two words of a
host that is made as the first one's; `{?x2m9q}` is a word, and `{~db7}` letters and digits, that the alert
must have. A brace of the answer is doubled.
"""

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import Alert, Analysis
from handlers.domain.delivery.reuse.demands import Demands
from handlers.domain.delivery.reuse.quotes import Quote, quotes_of
from handlers.domain.delivery.reuse.seen import SEVERITY, SeenAlert, fold, part_of, shape_of
from handlers.domain.limits import MAX_ANALYSIS_TEXT_CHARS, cut

_SENTENCE_END: Final = re.compile(r"((?<=[.!?])\s+|\n+)")
"""It looks at one character only, so that a template is split where its answer was, whatever fills it."""
_MARK: Final = re.compile(r"\{\{|\}\}|\{([=?~])([^{}]*)\}|[{}]")
_PART: Final = re.compile(r"(\d{1,3})-(\d{1,3})/(.*)")
_BRACES: Final = str.maketrans({"{": "{{", "}": "}}"})

_MAX_TEMPLATE_CHARS: Final = 4 * MAX_ANALYSIS_TEXT_CHARS
"""Of a text: ten of them fit into an item of DynamoDB, in any script."""

_UNFILLABLE: Final = "{=}"


def template_of_answer(analysis: Analysis, alert: Alert) -> Analysis:
    """The model's analysis of `alert` as a template for `fitted`. It takes time in proportion to both."""
    seen = SeenAlert(alert)
    demands = Demands(seen)

    def template(text: str) -> str:
        pieces, literals, at = [], [], 0
        for found in [*quotes_of(seen, text), Quote(len(text), len(text), "")]:
            literals.append(text[at : found.start])
            pieces += [literals[-1].translate(_BRACES), f"{{={found.slots}}}" if found.slots else ""]
            at = found.end
        return "".join([*demands.of(literals), *pieces])

    def templates(text: str) -> str:
        pieces = _SENTENCE_END.split(text)
        return "".join(piece if at % 2 else template(piece) for at, piece in enumerate(pieces))

    return replace(
        analysis,
        summary=_bounded(templates(analysis.summary)),
        probable_cause=_bounded(templates(analysis.probable_cause)),
        actions=tuple(_bounded(template(action)) for action in analysis.actions),
    )


def fitted(template: Analysis, alert: Alert) -> Analysis | None:
    """The analysis for `alert`, which has the template's signature; None if nothing of it fits.

    Its `left_out` counts the sentences and actions that do not. An action is kept whole or not at all, since
    half of one may do harm.
    """
    seen = SeenAlert(alert)
    left_out = 0

    def text(template: str) -> str:
        nonlocal left_out
        kept, pieces = [], _SENTENCE_END.split(template)
        for at in range(0, len(pieces), 2):
            sentence = _filled(pieces[at], seen)
            if sentence is None:
                left_out += 1
            else:
                kept += [sentence, *pieces[at + 1 : at + 2]]
        return cut("".join(kept).strip(), MAX_ANALYSIS_TEXT_CHARS)

    summary, cause = text(template.summary), text(template.probable_cause)
    if not summary and not cause:
        return None
    filled = [_filled(action, seen) for action in template.actions]
    actions = tuple(cut(action, MAX_ANALYSIS_TEXT_CHARS) for action in filled if action is not None)
    left_out += len(filled) - len(actions)
    return replace(
        template,
        summary=summary,
        probable_cause=cause,
        actions=actions,
        cached=True,
        left_out=left_out or msgspec.UNSET,
    )


def _bounded(template: str) -> str:
    return template if len(template) <= _MAX_TEMPLATE_CHARS else _UNFILLABLE


def _filled(template: str, seen: SeenAlert) -> str | None:
    """A sentence with what `seen` has in its slots; None if it has not all that is demanded."""
    pieces, at = [], 0
    for mark in _MARK.finditer(template):
        pieces.append(template[at : mark.start()])
        at = mark.end()
        kind, content = mark[1], mark[2]
        if kind == "=":
            values = {"" if value is None else fold(value): value for value in _values(content, seen)}
            value = next(iter(values.values())) if len(values) == 1 else None
            if value is None:
                return None
            pieces.append(value)
        elif kind is None and len(mark[0]) > 1:
            pieces.append(mark[0][0])
        elif kind is None or content not in (seen.words if kind == "?" else seen.condensed):
            return None
    return "".join([*pieces, template[at:]])


def _values(slots: str, seen: SeenAlert) -> Iterator[str | None]:
    """What `seen` has in each of these slots."""
    for slot in slots.split("|"):
        name, _, part = slot.partition("/")
        value = seen.severity if name == SEVERITY else seen.values.get(name)
        if part and value is not None:
            bounds = _PART.fullmatch(part)
            is_alike = bounds is not None and quote(shape_of(value), safe="") == bounds[3]
            value = part_of(value, int(bounds[1]), int(bounds[2])) if bounds and is_alike else None
        yield value
