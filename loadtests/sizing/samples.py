"""Samples: what one invocation at one size of memory took, the file that keeps them, and who makes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Protocol

import msgspec

from clients.lines import LINE_BYTES_MAX, TornLines, read_lines
from topology.errors import ExplainedError

OK: Final = "ok"
"""The outcome of an invocation that answered; any other is shown as it is, and its size is out."""

OUT_OF_MEMORY: Final = "out_of_memory"
SHARE_TOLERANCE: Final = 0.05
"""How far the CPU share that an invocation got may be from its size's, as a part of that."""

SAMPLES_MAX: Final = 200_000
"""Of a file: 4 functions at 20 sizes, each invoked 2,500 times."""

_Number = Annotated[float, msgspec.Meta(ge=0)]
_Count = Annotated[int, msgspec.Meta(ge=0)]


class Sample(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One invocation. Times in ms; `billed_ms` has what of INIT is billed, `init_ms` is None on a warm one.

    `target_share` and `cpu_share` are parts of a vCPU: what the size has, and what the invocation got while
    it was allowed to run and wanted to; None where nothing limited it or nobody can tell, as on AWS.
    """

    function: str
    memory_mb: _Count
    payload: str
    cold: bool
    outcome: str
    duration_ms: _Number
    billed_ms: _Count
    init_ms: _Number | None = None
    max_memory_mb: _Count = 0
    target_share: _Number | None = None
    cpu_share: _Number | None = None

    @property
    def latency_ms(self) -> float:
        """What whoever waits for it waits: INIT and the invocation."""
        return self.duration_ms + (self.init_ms or 0.0)

    @property
    def usable(self) -> bool:
        """Whether it got the CPU share of its size; one that was killed for memory tells that in any case."""
        if not self.target_share or self.cpu_share is None or self.outcome == OUT_OF_MEMORY:
            return True
        return abs(self.cpu_share / self.target_share - 1) <= SHARE_TOLERANCE


class Site(Protocol):
    """Where functions are invoked at any size of memory: a local host, AWS, or a file of samples."""

    def measurable(self, memory_mb: int) -> str | None:
        """Why this size cannot be measured here, in a line; None where it can."""

    def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
        """Invoke it `count` times, each on a new environment if `cold`, with its payloads in turn.

        Fewer samples mean that no more are to be had.
        """


class SamplesError(ExplainedError):
    """A file of samples cannot be read, or holds something else."""


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    origin: str


@dataclass(frozen=True)
class SampleSet:
    """Samples, and in `origin` where they come from: the machine and the command, in a line."""

    origin: str
    samples: tuple[Sample, ...]

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions, in the order of the file."""
        return tuple(dict.fromkeys(sample.function for sample in self.samples))

    def sizes(self, function: str) -> tuple[int, ...]:
        """The sizes that a function was sampled at, in MB, ascending."""
        return tuple(sorted({one.memory_mb for one in self.samples if one.function == function}))

    def write(self, file: Path) -> None:
        """Write the set as JSON lines, its origin first, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        lines: Sequence[msgspec.Struct] = (_Head(self.origin), *self.samples)
        draft = file.with_suffix(".tmp")
        draft.write_bytes(msgspec.json.Encoder().encode_lines(lines))
        draft.replace(file)


def read_samples(file: Path) -> SampleSet:
    """Read what `SampleSet.write` has written.

    Raises:
        SamplesError: the file cannot be read, a line is no sample, or there are none or too many.
    """
    samples: list[Sample] = []
    try:
        with file.open("rb") as lines:
            head = msgspec.json.decode(lines.readline(LINE_BYTES_MAX), type=_Head)
            for line in read_lines(lines, msgspec.json.Decoder(Sample).decode):
                if isinstance(line, TornLines):
                    raise SamplesError(
                        f"{file}: line {line.first + 1} is no sample ({line.start}); measure again, or take "
                        f"the line out"
                    )
                samples.append(line)
                if len(samples) > SAMPLES_MAX:
                    raise SamplesError(f"{file} has more than {SAMPLES_MAX:,} samples; split it by function")
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SamplesError(f"{file} is no set of samples ({error}); write one with --samples") from error
    if not samples:
        raise SamplesError(f"{file} has no samples; measure first")
    return SampleSet(head.origin, tuple(samples))
