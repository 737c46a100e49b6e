"""Draws a drill: what each region took in each second, the instants, the RTO's parts, the phases. Inline SVG.

Built as elements, never as text, so that nothing an alert or a file says can become markup. Colours are
classes of the page's style sheet, which knows light, dark and paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement

from dr.drill.measures import RTO_PARTS, Failure, Series, Timeline
from dr.drill.record import PhaseRun

WIDTH: Final = 1_100.0
LEFT: Final = 150.0
RIGHT: Final = 24.0
LANE: Final = 96.0
GAP: Final = 26.0
ROW: Final = 17.0
BAND: Final = 22.0
CHARACTER: Final = 6.3
"""About what a character of an 11-pixel label takes; labels are kept apart by it."""

_TICKS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600)
_TICKS_MAX: Final = 14


@dataclass(frozen=True)
class _Scale:
    """Time to pixels."""

    began_ms: int
    ended_ms: int

    def x(self, at_ms: float) -> float:
        """Clamped to the picture: an instant outside of it is drawn at its edge."""
        span = max(1, self.ended_ms - self.began_ms)
        part = min(1.0, max(0.0, (at_ms - self.began_ms) / span))
        return round(LEFT + part * (WIDTH - LEFT - RIGHT), 1)


def draw(timeline: Timeline, *, moments: Mapping[str, int], phases: Sequence[PhaseRun]) -> Element:
    """The picture. It has a title and a description for those who cannot see it."""
    scale = _Scale(timeline.began_ms, max(timeline.ended_ms, timeline.began_ms + 1_000))
    svg = Element("svg", {"role": "img", "xmlns": "http://www.w3.org/2000/svg", "class": "timeline"})
    SubElement(svg, "title").text = "Timeline of the drill"
    SubElement(svg, "desc").text = _described(timeline, moments)
    labels = _rows(sorted(moments.items(), key=lambda series: series[1]), scale)
    top = 14.0 + ROW * (1 + max((row for *_, row in labels), default=0))
    _rto_band(svg, scale, moments, y=top)
    lanes = top + BAND + GAP
    axis = lanes + len(timeline.series) * (LANE + GAP) - GAP
    _silences(svg, scale, timeline, top=lanes, bottom=axis)
    highest = max((sum(column) for series in timeline.series for column in _columns(series)), default=0)
    for number, series in enumerate(timeline.series):
        _lane(svg, scale, timeline, series, y=lanes + number * (LANE + GAP), highest=max(1, highest))
    _axis(svg, scale, y=axis)
    bottom = _gantt(svg, scale, phases, y=axis + 44)
    _marks(svg, labels, bottom=axis)
    svg.set("viewBox", f"0 0 {WIDTH:g} {bottom:g}")
    return svg


def kind_of(failure: Failure) -> str:
    """The class and the colour of tries that failed like this."""
    return failure.name.lower().replace("_", "-")


def _columns(series: Series) -> Sequence[tuple[int, ...]]:
    """For each bucket: alerts accepted, then tries that failed, by `Failure`."""
    return tuple(zip(series.accepted, *(series.failed[failure] for failure in Failure), strict=True))


def _described(timeline: Timeline, moments: Mapping[str, int]) -> str:
    took = ", ".join(
        f"{series.region} took {sum(series.accepted)} alerts and failed "
        f"{sum(map(sum, series.failed.values()))} tries"
        for series in timeline.series
    )
    when = ", ".join(
        f"{name} after {(at_ms - timeline.began_ms) / 1_000:.1f} s"
        for name, at_ms in sorted(moments.items(), key=lambda series: series[1])
    )
    return f"{took}. {when}."


def _rows(moments: Sequence[tuple[str, int]], scale: _Scale) -> list[tuple[str, float, float, bool, int]]:
    """For each label: text, x of its line, width, whether it stands left of it, and the row it fits in."""
    ends: list[float] = []
    placed = []
    for name, at_ms in moments:
        text = f"{name} {(at_ms - scale.began_ms) / 1_000:.1f} s"
        x, width = scale.x(at_ms), len(text) * CHARACTER
        leftwards = x + width > WIDTH
        begin = x - width if leftwards else x
        row = next((n for n, end in enumerate(ends) if begin > end), len(ends))
        ends[row:] = [begin + width + CHARACTER, *ends[row + 1 :]]
        placed.append((text, x, width, leftwards, row))
    return placed


def _marks(svg: Element, labels: Sequence[tuple[str, float, float, bool, int]], *, bottom: float) -> None:
    for text, x, _, leftwards, row in labels:
        y = 12.0 + row * ROW
        _line(svg, "mark", x, y + 2, x, bottom)
        anchor = "end" if leftwards else "start"
        _text(svg, "label", x + (-3 if leftwards else 3), y, text, anchor)


def _rto_band(svg: Element, scale: _Scale, moments: Mapping[str, int], *, y: float) -> None:
    _text(svg, "label", LEFT - 10, y + 15, "RTO", "end")
    for name, begin, end in RTO_PARTS:
        if (began_ms := moments.get(begin)) is None or (ended_ms := moments.get(end)) is None:
            continue
        x, right = scale.x(began_ms), scale.x(ended_ms)
        part = _rect(svg, f"rto {name}", x, y, max(1.0, right - x), BAND)
        text = f"{name} {(ended_ms - began_ms) / 1_000:.1f} s"
        SubElement(part, "title").text = text
        if right - x > len(text) * CHARACTER + 6:
            _text(svg, "on-colour", (x + right) / 2, y + 15, text, "middle")


def _silences(svg: Element, scale: _Scale, timeline: Timeline, *, top: float, bottom: float) -> None:
    for silence in timeline.silences:
        x, right = scale.x(silence.began_ms), scale.x(silence.ended_ms)
        gap = _rect(svg, "silence", x, top, max(1.0, right - x), bottom - top)
        took_s = (silence.ended_ms - silence.began_ms) / 1_000
        SubElement(gap, "title").text = f"the drill's process was dead: nothing was posted for {took_s:.1f} s"
        if right - x > len(text := f"process dead, {took_s:.1f} s") * CHARACTER:
            _text(svg, "label", (x + right) / 2, top + 14, text, "middle")


def _lane(svg: Element, scale: _Scale, timeline: Timeline, series: Series, *, y: float, highest: int) -> None:
    base = y + LANE
    _text(svg, "label strong", LEFT - 10, y + 14, series.region, "end")
    _text(svg, "label", LEFT - 10, y + 29, series.role, "end")
    _text(svg, "label", LEFT - 10, y + 44, f"top: {highest} tries in {timeline.bucket_s} s", "end")
    _line(svg, "axis", LEFT, base, WIDTH - RIGHT, base)
    kinds = (("accepted", "accepted"), *((kind_of(failure), f"failed ({failure})") for failure in Failure))
    for number, column in enumerate(_columns(series)):
        begin_ms = timeline.began_ms + number * timeline.bucket_s * 1_000
        x = scale.x(begin_ms)
        width = max(0.8, scale.x(begin_ms + timeline.bucket_s * 1_000) - x - 0.6)
        foot = base
        for (kind, word), count in zip(kinds, column, strict=True):
            if count:
                height = round(count / highest * LANE, 1)
                bar = _rect(svg, kind, x, foot - height, width, height)
                at_s = number * timeline.bucket_s
                SubElement(bar, "title").text = f"{series.region}: {count} {word} at {at_s} s"
                foot -= height


def _axis(svg: Element, scale: _Scale, *, y: float) -> None:
    span_s = (scale.ended_ms - scale.began_ms) / 1_000
    step_s = next((tick for tick in _TICKS_S if span_s / tick <= _TICKS_MAX), _TICKS_S[-1])
    for at_s in range(0, int(span_s) + 1, step_s):
        x = scale.x(scale.began_ms + at_s * 1_000)
        _line(svg, "axis", x, y, x, y + 4)
        _text(svg, "label", x, y + 17, f"{at_s} s", "middle")


def _gantt(svg: Element, scale: _Scale, phases: Sequence[PhaseRun], *, y: float) -> float:
    """A bar for each phase; one that never ended reaches to the end. Returns the y below the last."""
    for number, run in enumerate(phases):
        top = y + number * ROW
        x = scale.x(run.began_ms)
        right = scale.x(run.ended_ms or scale.ended_ms)
        _text(svg, "label", LEFT - 10, top + 10, run.name, "end")
        kind = "phase" if run.ended_ms else "phase unfinished"
        _rect(svg, kind, x, top + 2, max(1.5, right - x), ROW - 6)
    return y + len(phases) * ROW + 8


def _rect(svg: Element, kind: str, x: float, y: float, width: float, height: float) -> Element:
    place = {"x": x, "y": y, "width": width, "height": height}
    return SubElement(svg, "rect", {"class": kind, **{name: f"{value:.1f}" for name, value in place.items()}})


def _line(svg: Element, kind: str, x1: float, y1: float, x2: float, y2: float) -> None:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    SubElement(svg, "line", {"class": kind, **{name: f"{value:.1f}" for name, value in ends.items()}})


def _text(svg: Element, kind: str, x: float, y: float, text: str, anchor: str) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "class": kind}
    SubElement(svg, "text", place).text = text
