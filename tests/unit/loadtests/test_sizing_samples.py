"""Samples: the file that keeps them, what can be used of them, and what they cost."""

from pathlib import Path

import msgspec
import pytest

from loadtests.sizing.pricing import time_usd, usd_of
from loadtests.sizing.samples import OUT_OF_MEMORY, SamplesError, SampleSet, read_samples
from tests.fakes.lambda_samples import Shape, cpu_bound, exhaustive
from topology.prices import LAMBDA_GB_S, LAMBDA_REQUEST

SET = exhaustive(Shape(name="cpu", duration=cpu_bound(100)), (512, 1024), warm=3, cold=2)
SAMPLE = SET.samples[0]


def test_a_set_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Its origin, and each sample to the last digit."""
    SET.write(tmp_path / "samples.jsonl")
    assert read_samples(tmp_path / "samples.jsonl") == SET
    assert SET.functions == ("cpu",)
    assert SET.sizes("cpu") == (512, 1024)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no set of samples"),
        (b"\x00\xff\n", "no set of samples"),
        (b'{"origin":"here"}\n', "has no samples"),
        (b'{"origin":"here"}\n{"function":"cpu"}\n', "line 2 is no sample"),
        (msgspec.json.encode(SAMPLE) + b"\n", "no set of samples"),
    ],
)
def test_a_file_of_anything_else_is_refused_in_a_line(tmp_path: Path, content: bytes, says: str) -> None:
    """With the place of what is wrong."""
    file = tmp_path / "samples.jsonl"
    file.write_bytes(content)
    with pytest.raises(SamplesError, match=says) as refused:
        read_samples(file)
    assert "\n" not in str(refused.value)
    with pytest.raises(SamplesError, match="no set of samples"):
        read_samples(tmp_path / "missing.jsonl")


@pytest.mark.parametrize("field", ["duration_ms", "billed_ms", "memory_mb"])
def test_a_negative_measure_is_no_sample(tmp_path: Path, field: str) -> None:
    """It would make a size look free."""
    line = {**msgspec.to_builtins(SAMPLE), field: -1}
    (tmp_path / "samples.jsonl").write_bytes(b'{"origin":"x"}\n' + msgspec.json.encode(line) + b"\n")
    with pytest.raises(SamplesError, match="line 2"):
        read_samples(tmp_path / "samples.jsonl")


@pytest.mark.parametrize(
    ("target", "got", "outcome", "usable"),
    [
        (0.5, 0.524, "ok", True),
        (0.5, 0.526, "ok", False),
        (0.5, 0.474, "timeout", False),
        (0.5, 0.3, OUT_OF_MEMORY, True),
        (0.5, None, "ok", True),
        (None, 0.5, "ok", True),
    ],
)
def test_a_sample_counts_if_it_got_the_cpu_share_of_its_size(
    target: float | None, got: float | None, outcome: str, *, usable: bool
) -> None:
    """Within 5 %; what nobody can tell counts, and so does a kill for memory, whatever the share."""
    sample = msgspec.structs.replace(SAMPLE, target_share=target, cpu_share=got, outcome=outcome)
    assert sample.usable is usable


def test_an_invocation_costs_its_billed_time_and_the_request() -> None:
    """By the one table of prices: 100 ms at 512 MB are a twentieth of a GB-second."""
    sample = msgspec.structs.replace(SAMPLE, billed_ms=100, memory_mb=512)
    assert usd_of(sample) == pytest.approx(0.05 * LAMBDA_GB_S.each + LAMBDA_REQUEST.each)
    assert time_usd(100, 512) == pytest.approx(0.05 * LAMBDA_GB_S.each)


def test_half_a_set_is_never_left_where_a_whole_one_was(tmp_path: Path) -> None:
    """What cannot be written leaves the old file."""
    file = tmp_path / "samples.jsonl"
    SET.write(file)
    broken = SampleSet("other", (*SET.samples, object()))  # type: ignore[arg-type] # what cannot be encoded
    with pytest.raises(TypeError):
        broken.write(file)
    assert read_samples(file) == SET
