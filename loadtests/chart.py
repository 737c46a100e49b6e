"""A chart of points, as inline SVG whose colours are classes of the page's style sheet.

pygal was tried for it: each of its pictures brings a script and a style sheet, 15 KB which pages of ours go
without, and it writes the names of points that are close together over each other.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Final
from xml.etree.ElementTree import Element, SubElement

STYLE: Final = Path(__file__).with_name("chart.css").read_text(encoding="utf-8")

LEFT, TOP, BOTTOM = 64.0, 16.0, 48.0
RADIUS: Final = 5.0
_TICKS: Final = 6
_LABEL: Final = 15.0
"""What a label takes of the height; those that would overlap are moved by it."""

_LABEL_WIDTH: Final = 180.0
_LABELS_MAX: Final = 10
"""Of an axis of names; of more, each so many-th is written."""

_LETTER: Final = 7.0
"""What a letter of a label takes of the width, at most."""

_LEAD: Final = 26.0
"""From a point to its label."""


@dataclass(frozen=True)
class Point:
    """A point; `kind` is its class, `text` what it is. A `named` one has its text beside it.

    `interval`: the lowest and highest that its y may be.
    """

    x: float
    y: float
    kind: str
    text: str
    named: bool = False
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Chart:
    """A chart with a title and what its axes are of. Both begin at 0.

    With `names`, x is the place of one of them. `right` is left free for the names of points, which stand so
    much lower than these as `name_drop` says, if there is place.
    """

    title: str
    x_axis: str
    y_axis: str
    names: Sequence[str] = ()
    width: float = 960.0
    height: float = 380.0
    right: float = 190.0
    name_drop: float = 0.0

    def draw(
        self,
        points: Sequence[Point],
        *,
        marked_x: float | None = None,
        diagonal: bool = False,
        joined: bool = False,
    ) -> Element:
        """The picture, with a description for those who cannot see it; points of a kind may be `joined`."""
        size = f"0 0 {self.width:g} {self.height:g}"
        svg = Element("svg", {"role": "img", "class": "chart", "viewBox": size})
        SubElement(svg, "title").text = self.title
        SubElement(svg, "desc").text = "; ".join(
            f"{point.text}: {self.x_axis} {point.x:.3g}, {self.y_axis} {point.y:.3g}" for point in points
        )
        end = self.width - self.right
        x = _Names(self.names, LEFT, end) if self.names else _Axis(_top([p.x for p in points]), LEFT, end)
        highest = [max(point.y, *(point.interval or ())) if point.interval else point.y for point in points]
        y = _Axis(_top(highest), self.height - BOTTOM, TOP)
        self._axes(svg, x, y)
        if diagonal:
            end = min(x.top, y.top)
            _line(svg, "all", (x.at(0), y.at(0)), (x.at(end), y.at(end)))
            _text(svg, "label", (x.at(end / 2) + 12, y.at(end / 2) + 12), "all that is offered")
        if marked_x is not None:
            _line(svg, "knee", (x.at(marked_x), y.at(0)), (x.at(marked_x), TOP))
            _text(svg, "name", (x.at(marked_x) + 5, TOP + 10), f"knee {marked_x:.2f}")
        if joined:
            by_kind = sorted(points, key=lambda one: (one.kind, one.x))
            for kind, of_kind in groupby(by_kind, key=lambda one: one.kind):
                for one, other in pairwise(of_kind):
                    _line(svg, kind, (x.at(one.x), y.at(one.y)), (x.at(other.x), y.at(other.y)))
        taken: list[tuple[float, float]] = []
        for point in sorted(points, key=lambda one: -one.y):
            at = (x.at(point.x), y.at(point.y))
            if point.interval:
                low, high = point.interval
                _line(svg, f"{point.kind} interval", (at[0], y.at(low)), (at[0], y.at(high)))
            circle = SubElement(svg, "circle", {"class": point.kind, "r": f"{RADIUS:g}"})
            circle.set("cx", f"{at[0]:.1f}")
            circle.set("cy", f"{at[1]:.1f}")
            SubElement(circle, "title").text = f"{point.text}: {point.x:.3g}, {point.y:.3g}"
            if point.named:
                self._name(svg, point.text, at, taken)
        return svg

    def _name(
        self, svg: Element, text: str, at: tuple[float, float], taken: list[tuple[float, float]]
    ) -> None:
        """Write the name of a point to its right; to its left where the picture ends."""
        lowest = self.height - BOTTOM - _LABEL / 2
        y = at[1] + self.name_drop
        y = min(at[1], lowest) - abs(self.name_drop) if y > lowest else max(y, TOP)
        is_last = at[0] + _LEAD + len(text) * _LETTER > self.width
        step = -_LABEL if self.name_drop < 0 else _LABEL
        place = _free((at[0] + (-_LEAD if is_last else _LEAD), y), taken, step)
        _line(svg, "lead", at, place)
        x = place[0] + (-3 if is_last else 3)
        _text(svg, "name", (x, place[1] + 4), text, "end" if is_last else "start")

    def _axes(self, svg: Element, x: "_Axis | _Names", y: "_Axis") -> None:
        end = self.width - self.right
        for tick, name in x.ticks():
            _line(svg, "axis", (x.at(tick), y.at(0)), (x.at(tick), TOP))
            _text(svg, "label", (x.at(tick), y.at(0) + 18), name, "middle")
        for tick, name in y.ticks():
            _line(svg, "axis", (LEFT, y.at(tick)), (end, y.at(tick)))
            _text(svg, "label", (LEFT - 8, y.at(tick) + 4), name, "end")
        _text(svg, "label", ((LEFT + end) / 2, self.height - 8), self.x_axis, "middle")
        label = _text(svg, "label", (0, 0), self.y_axis, "middle")
        label.set("transform", f"translate(16 {(TOP + self.height - BOTTOM) / 2:g}) rotate(-90)")


@dataclass(frozen=True)
class _Axis:
    """Values from 0 to `top` on pixels from `begin` to `end`."""

    top: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        return self.begin + (self.end - self.begin) * value / self.top

    def ticks(self) -> list[tuple[float, str]]:
        step = _step(self.top)
        values = [round(step * number, 9) for number in range(round(self.top / step) + 1)]
        return [(value, f"{value:g}") for value in values]


@dataclass(frozen=True)
class _Names:
    """Places of names, as far from each other, on pixels from `begin` to `end`."""

    names: Sequence[str]
    begin: float
    end: float
    top: float = math.inf

    def at(self, place: float) -> float:
        return self.begin + (self.end - self.begin) * (place + 0.5) / len(self.names)

    def ticks(self) -> list[tuple[float, str]]:
        each = math.ceil(len(self.names) / _LABELS_MAX)
        return [(place, "" if place % each else name) for place, name in enumerate(self.names)]


def _step(top: float) -> float:
    """A round step that makes some `_TICKS` of it."""
    power: float = 10.0 ** math.floor(math.log10(top / _TICKS))
    return next(power * part for part in (1, 2, 2.5, 5, 10) if top / (power * part) <= _TICKS)


def _top(values: Sequence[float]) -> float:
    """The next round value above them all."""
    most = max(values, default=1.0) * 1.05 or 1.0
    step = _step(most)
    return math.ceil(most / step) * step


def _free(at: tuple[float, float], taken: list[tuple[float, float]], step: float) -> tuple[float, float]:
    """The place for a label, so many steps from others that it would lie on."""
    x, y = at
    while any(abs(x - ox) < _LABEL_WIDTH and abs(y - oy) < _LABEL for ox, oy in taken):
        y += step
    taken.append((x, y))
    return x, y


def _line(svg: Element, kind: str, begin: tuple[float, float], end: tuple[float, float]) -> None:
    ends = zip(("x1", "y1", "x2", "y2"), (*begin, *end), strict=True)
    SubElement(svg, "line", {"class": kind, **{name: f"{value:.1f}" for name, value in ends}})


def _text(svg: Element, kind: str, at: tuple[float, float], text: str, anchor: str = "start") -> Element:
    place = {"x": f"{at[0]:.1f}", "y": f"{at[1]:.1f}", "text-anchor": anchor, "class": kind}
    element = SubElement(svg, "text", place)
    element.text = text
    return element
