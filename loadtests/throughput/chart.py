"""A chart of points, as inline SVG whose colours are classes of the page's style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.etree.ElementTree import Element, SubElement

WIDTH: Final = 960.0
HEIGHT: Final = 380.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 190.0, 16.0, 48.0
RADIUS: Final = 5.0
_TICKS: Final = 6
_LABEL: Final = 15.0
"""What a label takes of the height; those that would overlap are moved down."""

_LABEL_WIDTH: Final = 180.0
_LEAD: Final = 26.0
"""From a point to its label."""


@dataclass(frozen=True)
class Point:
    """A point; `kind` is its class, `text` what it is. A `named` one has its text beside it."""

    x: float
    y: float
    kind: str
    text: str
    named: bool = False


@dataclass(frozen=True)
class Chart:
    """A chart with a title and what its axes are of. Both begin at 0."""

    title: str
    x_axis: str
    y_axis: str

    def draw(
        self, points: Sequence[Point], *, marked_x: float | None = None, diagonal: bool = False
    ) -> Element:
        """The picture, with a description for those who cannot see it."""
        svg = Element("svg", {"role": "img", "class": "chart", "viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}"})
        SubElement(svg, "title").text = self.title
        SubElement(svg, "desc").text = "; ".join(
            f"{point.text}: {self.x_axis} {point.x:.3g}, {self.y_axis} {point.y:.3g}" for point in points
        )
        x = _Axis(_top([point.x for point in points]), LEFT, WIDTH - RIGHT)
        y = _Axis(_top([point.y for point in points]), HEIGHT - BOTTOM, TOP)
        self._axes(svg, x, y)
        if diagonal:
            end = min(x.top, y.top)
            _line(svg, "all", (x.at(0), y.at(0)), (x.at(end), y.at(end)))
            _text(svg, "label", (x.at(end / 2) + 12, y.at(end / 2) + 12), "all that is offered")
        if marked_x is not None:
            _line(svg, "knee", (x.at(marked_x), y.at(0)), (x.at(marked_x), TOP))
            _text(svg, "name", (x.at(marked_x) + 5, TOP + 10), f"knee {marked_x:.2f}")
        taken: list[tuple[float, float]] = []
        for point in sorted(points, key=lambda one: -one.y):
            at = (x.at(point.x), y.at(point.y))
            circle = SubElement(svg, "circle", {"class": point.kind, "r": f"{RADIUS:g}"})
            circle.set("cx", f"{at[0]:.1f}")
            circle.set("cy", f"{at[1]:.1f}")
            SubElement(circle, "title").text = f"{point.text}: {point.x:.3g}, {point.y:.3g}"
            if point.named:
                place = _free((at[0] + _LEAD, at[1]), taken)
                _line(svg, "lead", at, place)
                _text(svg, "name", (place[0] + 3, place[1] + 4), point.text)
        return svg

    def _axes(self, svg: Element, x: "_Axis", y: "_Axis") -> None:
        for tick in x.ticks():
            _line(svg, "axis", (x.at(tick), y.at(0)), (x.at(tick), TOP))
            _text(svg, "label", (x.at(tick), y.at(0) + 18), f"{tick:g}", "middle")
        for tick in y.ticks():
            _line(svg, "axis", (x.at(0), y.at(tick)), (WIDTH - RIGHT, y.at(tick)))
            _text(svg, "label", (x.at(0) - 8, y.at(tick) + 4), f"{tick:g}", "end")
        _text(svg, "label", ((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8), self.x_axis, "middle")
        label = _text(svg, "label", (0, 0), self.y_axis, "middle")
        label.set("transform", f"translate(16 {(TOP + HEIGHT - BOTTOM) / 2:g}) rotate(-90)")


@dataclass(frozen=True)
class _Axis:
    """Values from 0 to `top` on pixels from `begin` to `end`."""

    top: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        return self.begin + (self.end - self.begin) * value / self.top

    def ticks(self) -> list[float]:
        step = _step(self.top)
        return [round(step * number, 9) for number in range(round(self.top / step) + 1)]


def _step(top: float) -> float:
    """A round step that makes some `_TICKS` of it."""
    power: float = 10.0 ** math.floor(math.log10(top / _TICKS))
    return next(power * part for part in (1, 2, 2.5, 5, 10) if top / (power * part) <= _TICKS)


def _top(values: Sequence[float]) -> float:
    """The next round value above them all."""
    most = max(values, default=1.0) * 1.05 or 1.0
    step = _step(most)
    return math.ceil(most / step) * step


def _free(at: tuple[float, float], taken: list[tuple[float, float]]) -> tuple[float, float]:
    """The place for a label, below others that it would lie on."""
    x, y = at
    while any(abs(x - ox) < _LABEL_WIDTH and abs(y - oy) < _LABEL for ox, oy in taken):
        y += _LABEL
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
