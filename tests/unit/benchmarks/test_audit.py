"""The benchmark of the audit finds the faults that it planted, no more and no fewer."""

import pytest

from benchmarks import audit as audit_benchmark


def test_the_planted_faults_are_found_among_thousands(capsys: pytest.CaptureFixture[str]) -> None:
    """At a small size here; `make bench-audit` measures a million."""
    assert audit_benchmark.main(["--alerts", "3000"]) == 0
    assert "planted 106 faults, named 106, and 0 others" in capsys.readouterr().out
