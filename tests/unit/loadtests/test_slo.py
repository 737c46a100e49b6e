"""Objectives: what breaks them, and files of them that cannot be used."""

from pathlib import Path

import pytest

from loadtests.throughput.slo import DEFAULT_SLO, Measures, Slo, SloFileError, read_slo

GOOD = Measures(
    error_percent=0.0, http_p95_s=0.2, critical_p95_s=1.0, ordinary_p95_s=2.0, untold_percent=0.0,
    growth_percent=0.1, alone_percent=100.0, analysed_percent=100.0, slack_refused_percent=0.0,
)  # fmt: skip


def test_what_meets_every_objective_breaks_none() -> None:
    """Bounds belong to what is allowed."""
    assert DEFAULT_SLO.breaches(GOOD) == ()
    assert Slo({"critical_p95_s": 1.0, "alone_percent": 100.0}).breaches(GOOD) == ()


@pytest.mark.parametrize(
    ("objective", "bound", "says"),
    [("critical_p95_s", 0.9, "at most 0.9"), ("alone_percent", 100.1, "at least 100.1")],
)
def test_what_breaks_an_objective_is_named_with_its_value(objective: str, bound: float, says: str) -> None:
    """So nobody has to look it up."""
    (breach,) = Slo({objective: bound}).breaches(GOOD)
    assert breach.startswith(objective)
    assert says in breach


def test_what_was_not_measured_breaks_its_objective() -> None:
    """No CRITICAL alert reached Slack: that is no pass."""
    blind = Measures(**{**vars(GOOD), "critical_p95_s": None})
    assert Slo({"critical_p95_s": 5.0}).breaches(blind) == ("critical_p95_s is unknown, wanted at most 5",)


def test_a_file_of_objectives_is_read(tmp_path: Path) -> None:
    """A table of measures."""
    file = tmp_path / "slo.toml"
    file.write_text("[slo]\ncritical_p95_s = 3\nerror_percent = 0.5\n", encoding="utf-8")
    assert read_slo(file).objectives == {"critical_p95_s": 3.0, "error_percent": 0.5}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[slo]\np95 = 3\n", "p95: unknown; known are error_percent"),
        ("[slo]\nerror_percent = true\n", "is no bound"),
        ("[slo]\nerror_percent = -1\n", "is no bound"),
        ("[slo]\n", "has no table"),
        ("slo = 3\n", "has no table"),
        ("[slo", "cannot be read as TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_used_says_why(tmp_path: Path, content: str | None, says: str) -> None:
    """In one line, before anything is sent."""
    file = tmp_path / "slo.toml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(SloFileError, match=says) as raised:
        read_slo(file)
    assert "\n" not in str(raised.value).split("(")[0]
