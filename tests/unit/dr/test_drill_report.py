"""A drill's report: verdict, history, page and summary, from one record."""

import itertools
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from dr.drill.measures import Failure
from dr.drill.page import figures, render, write_page
from dr.drill.prober import ProbeLog
from dr.drill.record import DrillFacts, Moment, PhaseRun
from dr.drill.report import (
    EMULATED,
    DrillReport,
    HistoryEntry,
    Rollback,
    read_history,
    write_json,
)
from dr.drill.summary import summarise
from dr.drill.timeline import WIDTH
from tests.unit.dr.drill_examples import EAST, WEST, at, attempt, audit, context, inputs, report, state

VOID = {"meta", "br", "hr", "img", "link", "input"}
HOSTILE = "</td><script>alert(1)</script> & \"quoted\" <svg onload='x'> \u202e\x1b[31m |`*"


class _Tags(HTMLParser):
    """Checks that tags close in order, and collects them with their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _tags(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser.seen


def _picture(page: str) -> ET.Element:
    found = re.search(r"<svg.*</svg>", page, re.DOTALL)
    assert found
    return ET.fromstring(found[0])  # noqa: S314 - our own page


def test_a_drill_that_meets_its_objectives_passes() -> None:
    """The example does."""
    found = report()
    assert (found.passed, found.missed) == (True, ())
    assert (found.load.accepted, found.load.accepted_before_fault) == (600, 160)
    assert found.load.unanswered == 0


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"of": state(moments={})}, "RTO: it was never"),
        ({"of": state(moments={**state().moments, Moment.VERIFIED: at(81_000)})}, "RTO: 61 s"),
        ({"found": inputs(audit=audit(problems={"alert-3": "no row"}))}, "RPO: 1 alerts"),
        ({"found": inputs(audit=None)}, "audit: there was none"),
        ({"found": inputs(audit=audit(unexplained=1))}, "duplicates in Slack"),
        (
            {"found": inputs(audit=replace(audit(), unread=1, unread_parts={"receipts line 3": "torn"}))},
            "audit: what was answered 202 is unknown in receipts line 3",
        ),
        ({"found": inputs(receipts=inputs().receipts[:499])}, "load: 499"),
        (
            {"found": inputs(log=ProbeLog(1, (attempt(EAST, 1_000, 503),)))},
            "load: 1 tries were answered 5xx before",
        ),
        ({"found": inputs(rollback=Rollback(not_done=("switch: no answer",)))}, "not rolled back: switch"),
        ({"found": inputs(stopped="phase 'failover' failed")}, "phase 'failover' failed"),
    ],
)
def test_each_miss_fails_the_drill_and_is_named(changed: dict[str, Any], named: str) -> None:
    """Exit code and report follow from the same list."""
    found = report(**changed)
    assert not found.passed
    assert any(line.startswith(named) or named in line for line in found.missed), found.missed


def test_an_rto_that_equals_its_objective_meets_it() -> None:
    """The boundary is met."""
    assert report(of=state(moments={**state().moments, Moment.VERIFIED: at(80_000)})).passed


def test_a_drill_is_compared_with_the_last_of_its_kind() -> None:
    """Another scenario's, another stack's and this drill itself are no measure; the newest of its kind is."""

    def earlier(drill_id: str, scenario: str, stack: str, rto_s: float) -> HistoryEntry:
        return HistoryEntry(
            drill_id=drill_id, scenario=scenario, stack=stack, began_at=drill_id, measures_s={"RTO": rto_s}
        )

    found = report(
        history=(
            earlier("older", "region-killed", "local", 50.0),
            earlier("last", "region-killed", "local", 20.0),
            earlier("other", "region-frozen", "local", 1.0),
            earlier("else", "region-killed", "staging", 1.0),
            earlier(state().drill_id, "region-killed", "local", 1.0),
        )
    )
    assert found.compared_with == "last"
    assert [(one.measure, one.before_s, one.now_s, one.slower) for one in found.slower] == [
        ("RTO", 20.0, 32.5, True)
    ]
    assert "slower than on last: RTO, 20.0 s then, 32.5 s now" in summarise(found)


def _resumed() -> DrillReport:
    """A drill whose process was dead for half a minute, from its 30th second on."""
    tries = tuple(attempt(WEST, second * 1_000) for second in range(110) if not 30 < second < 60)
    return report(
        of=state(resumed=1),
        found=inputs(log=ProbeLog(posted=len(tries), attempts=tries)),
        history=(
            HistoryEntry(
                drill_id="clean",
                scenario="region-killed",
                stack="local",
                began_at="clean",
                measures_s={"RTO": 1.0},
            ),
        ),
    )


def test_a_resumed_drill_is_neither_compared_nor_measured_against(tmp_path: Path) -> None:
    """Its times have a dead process in them."""
    found = _resumed()
    write_json(found, tmp_path)
    assert (found.compared_with, found.changes) == (None, ())
    assert read_history(tmp_path) == []
    assert "slower than" not in summarise(found)


def test_a_resumed_drill_says_so_wherever_it_is_read() -> None:
    """In the figures, which the console shows too, in the summary and on the page; a clean one does not."""
    found = _resumed()
    said = "its process died and another one went on"
    assert said in figures(found)[-1][-1]
    assert said in summarise(found)
    assert said in render(found)
    assert "resumed" not in summarise(report())


def test_the_time_without_a_process_is_marked_in_the_picture() -> None:
    """One mark, as wide as the gap; a drill in one go has none, however long it posted nothing."""
    [gap] = [one for one in _picture(render(_resumed())).iter() if one.get("class") == "silence"]
    title = gap.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == "the drill's process was dead: nothing was posted for 29.9 s"
    assert 'class="silence"' not in render(report())


def test_figures_without_an_audit_are_unknown_everywhere(tmp_path: Path) -> None:
    """No zero stands for what nobody counted."""
    found = report(found=inputs(audit=None))
    assert "| RPO | unknown | objective 0 lost |" in summarise(found)
    assert (
        '"rpo": {\n    "alerts": null,\n    "seconds": null\n  }' in write_json(found, tmp_path).read_text()
    )


def test_a_lost_alert_is_shown_with_its_age() -> None:
    """What the RPO in seconds means is said beside it."""
    found = report(found=inputs(audit=audit(problems={"alert-0": "no row"})))
    assert "| RPO | 1 lost | objective 0 lost; the oldest was 19.9 s old at the fault |" in summarise(found)


def test_the_causes_of_duplicates_stand_beside_their_number() -> None:
    """The summary and the console have no other place for them."""
    assert "| duplicates | 2 | in Slack: 2 x lease expired |" in summarise(report())


def test_failed_tries_are_told_apart_by_answer_and_fault() -> None:
    """In the summary by number, in the picture by colour."""
    tries = (attempt(EAST, 1_000, 429), attempt(EAST, 30_000, None), attempt(WEST, 31_000, 503))
    found = report(found=inputs(log=ProbeLog(posted=600, attempts=tries)))
    assert "| before the fault: 1 x 429; after: 1 x no answer, 1 x 5xx |" in summarise(found)
    kinds = {shape.get("class") for shape in _picture(render(found)).iter()}
    assert {"throttled", "unanswered", "server-error"} <= kinds


def test_a_phase_that_went_on_beside_the_others_has_its_own_times() -> None:
    """Collecting its result takes no time; the fact that times it is not listed with what was found."""
    collected = PhaseRun(name="restore rehearsal", began_ms=at(53_000), ended_ms=at(53_000))
    facts = DrillFacts(background_ms={"restore rehearsal": (at(46_600), at(51_100))})
    found = report(of=state(phases=(*state().phases, collected), facts=facts))
    assert found.measures_s["phase: restore rehearsal"] == 4.5
    assert (found.phases[-1].began_ms, found.phases[-1].ended_ms) == (at(46_600), at(51_100))
    assert found.facts == DrillFacts()


def test_a_phase_whose_work_beside_the_others_failed_has_not_ended() -> None:
    """It is drawn from when the work began, and measured by nobody."""
    broken = PhaseRun(name="restore rehearsal", began_ms=at(53_000))
    facts = DrillFacts(background_ms={"restore rehearsal": (at(46_600), at(51_100))})
    found = report(of=state(phases=(broken,), facts=facts))
    assert (found.phases[0].began_ms, found.phases[0].ended_ms) == (at(46_600), None)
    assert "phase: restore rehearsal" not in found.measures_s


def test_a_history_cut_at_any_byte_loses_no_later_drill(tmp_path: Path) -> None:
    """The next drill begins on a line of its own."""
    write_json(report(), tmp_path)
    path = tmp_path / "drill-history.jsonl"
    content = path.read_bytes()
    for cut in range(len(content)):
        path.write_bytes(content[:cut])
        write_json(report(of=replace(state(), drill_id="second")), tmp_path)
        whole = [state().drill_id] if cut >= len(content) - 1 else []
        assert [entry.drill_id for entry in read_history(tmp_path)] == [*whole, "second"], cut


def test_the_history_grows_by_each_drill_that_measured_something(tmp_path: Path) -> None:
    """A line that is no drill's is passed over, and one without an RTO teaches nothing."""
    write_json(report(), tmp_path)
    with (tmp_path / "drill-history.jsonl").open("a", encoding="utf-8") as history:
        history.write('not json\n{"drill_id": 7}\n')
    write_json(report(of=state(drill_id="broken-off", moments={})), tmp_path)
    write_json(report(of=state(drill_id="second")), tmp_path)
    assert [one.drill_id for one in read_history(tmp_path)] == [state().drill_id, "second"]
    assert read_history(tmp_path / "nowhere") == []


def test_the_page_is_well_formed_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    """Tags close in order; no script, no link, no address to load anything from."""
    path = write_page(report(), tmp_path)
    page = path.read_text(encoding="utf-8")
    tags = _tags(page)
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in tags}
    loaded = [name for _, attributes in tags for name in attributes if name in {"src", "href", "srcset"}]
    assert loaded == []
    assert "@import" not in page
    assert "url(" not in page


def test_figures_of_an_emulator_are_labelled_and_others_are_not() -> None:
    """On the page and in the summary."""
    local, real = report(), report(on=context(emulated=False))
    assert EMULATED in render(local)
    assert EMULATED in summarise(local)
    assert EMULATED not in render(real) + summarise(real)


def test_nothing_that_an_alert_or_an_error_says_becomes_markup() -> None:
    """Whatever is in an id, a problem, a fact or a detail is text."""
    hostile = report(
        of=state(
            facts=DrillFacts(export_arn=HOSTILE, restored_table=HOSTILE),
            phases=(PhaseRun(name=HOSTILE, began_ms=at(0), ended_ms=None, detail=HOSTILE),),
        ),
        on=context(title=HOSTILE),
        found=inputs(
            audit=audit(problems={HOSTILE: HOSTILE}), rollback=Rollback(not_done=(HOSTILE,)), stopped=HOSTILE
        ),
    )
    page = render(hostile)
    tags = _tags(page)
    assert "script" not in {tag for tag, _ in tags}
    assert not [name for _, attributes in tags for name in attributes if name.startswith("on")]
    assert "\x1b" not in page
    assert "\u202e" not in page
    summary = summarise(hostile)
    assert "<script>" not in summary
    assert summary.count("\n- ") == len(summary.split("\n\n")[-1].splitlines())


@pytest.mark.parametrize("seconds", [0, 1, 112, 5_000])
def test_the_picture_stays_inside_its_frame(seconds: int) -> None:
    """With no time, few and many columns, and with instants before and after it."""
    moments = {moment: at(-5_000 + n * seconds * 200) for n, moment in enumerate(Moment)}
    found = report(of=state(moments=moments), found=inputs(ended_ms=at(seconds * 1_000)))
    svg = _picture(render(found))
    _, _, width, height = map(float, svg.attrib["viewBox"].split())
    assert width == WIDTH
    for shape in svg.iter():
        x = float(shape.attrib.get("x", shape.attrib.get("x1", "0")))
        y = float(shape.attrib.get("y", shape.attrib.get("y1", "0")))
        assert 0 <= x + float(shape.attrib.get("width", "0")) <= WIDTH
        assert 0 <= y + float(shape.attrib.get("height", "0")) <= height


def test_the_picture_shows_every_second_and_instant() -> None:
    """A bar for each second with alerts in a region, a line for each instant, the parts of the RTO."""
    svg = _picture(render(report()))
    kinds = [shape.attrib.get("class", "") for shape in svg.iter()]
    timeline = report().timeline
    assert kinds.count("accepted") == sum(1 for one in timeline.series for count in one.accepted if count)
    unanswered = [count for one in timeline.series for count in one.failed[Failure.UNANSWERED] if count]
    assert kinds.count("unanswered") == len(unanswered)
    assert kinds.count("mark") == len(state().moments)
    assert [kind for kind in kinds if kind.startswith("rto ")] == [
        "rto detect", "rto decide", "rto act", "rto verify",
    ]  # fmt: skip


def test_the_labels_of_instants_do_not_overlap() -> None:
    """Those close together get rows of their own."""
    moments = {moment: at(50_000 + n * 300) for n, moment in enumerate(Moment)}
    svg = _picture(render(report(of=state(moments=moments))))
    rows: dict[str, list[tuple[float, float]]] = {}
    for text in svg.iter():
        if (
            text.tag.endswith("text")
            and text.attrib["class"] == "label"
            and (text.text or "").split(" ")[0]
            in {str(moment).split(" ", maxsplit=1)[0] for moment in Moment}
        ):
            x, width = float(text.attrib["x"]), len(text.text or "") * 6.0
            begin = x - width if text.attrib["text-anchor"] == "end" else x
            rows.setdefault(text.attrib["y"], []).append((begin, begin + width))
    for spans in rows.values():
        ordered = sorted(spans)
        assert all(left[1] <= right[0] for left, right in itertools.pairwise(ordered))
