"""The local Lambda host as a place to sample: the functions' own packages, with an AWS of canned answers."""

import contextlib
import functools
import json
import platform
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emulator.lambda_host.environment import ExecutionEnvironment
from emulator.lambda_host.host import LambdaHost
from emulator.lambda_host.invocations import Outcome
from emulator.lambda_host.processor import cores, not_measurable
from loadtests.isolated.environment import CONFIG, environment
from loadtests.isolated.events import PAYLOADS, Payload, worked
from loadtests.isolated.packages import built, canned_aws
from loadtests.sizing.samples import OK, Sample
from topology.functions import FUNCTIONS

DELAYS_S: Final[Mapping[str, float]] = {
    "dynamodb": 0.005,
    "sqs": 0.01,
    "secretsmanager": 0.02,
    "slack": 0.2,
    "claude": 4.0,
}
"""How long a service takes to answer, always the same: what differs between answers is not memory's doing.
Assumed; Claude's is the median of `emulator.claude_latency`."""

_NO_PACE: Final = {"SLACK_INTERVAL_MS": "1"}
"""So that no invocation waits for its turn."""

_SHAPES: Final = Path(__file__).with_name("shapes")
SHAPES: Final = ("cpu_bound", "io_bound", "memory_bound")
SHAPE_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True, kw_only=True)
class HostedFunction:
    """A function to sample. `package`: its zip or folder; `worked` says whether an answer is a good one."""

    package: Path
    handler: str
    timeout_s: float
    variables: Mapping[str, str]
    payloads: Sequence[Payload]
    worked: Callable[[Any], bool]


class LocalSite:
    """`Site` of functions on this machine, one execution environment at a time."""

    def __init__(
        self,
        host: LambdaHost,
        functions: Mapping[str, HostedFunction],
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Nothing runs before the first sample."""
        self._host, self._functions, self._progress = host, functions, progress
        self._turns: Counter[tuple[str, int, bool]] = Counter()
        self._events = 0
        self._warm: tuple[str, int, ExecutionEnvironment] | None = None

    @property
    def name(self) -> str:
        """The host and its machine, in a line."""
        python = platform.python_version()
        return f"a local Lambda host ({self._host.mechanism}, {len(cores())} cores, Python {python})"

    def measurable(self, memory_mb: int) -> str | None:
        """See `Site`."""
        return not_measurable(memory_mb)

    def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
        """See `Site`. After one that failed there are no more."""
        samples: list[Sample] = []
        while len(samples) < count and all(one.outcome == OK for one in samples):
            words = "cold" if cold else "warm"
            self._progress(f"{function}, {memory_mb} MB, {words}: {len(samples) + 1} of {count}")
            kind = function, memory_mb, cold
            payload = self._next_payload(kind)
            if cold:
                self.close()
                with contextlib.closing(self._new(function, memory_mb)) as made:
                    samples.append(self._invoke(made, function, payload))
            else:
                samples.append(self._invoke(self._kept(function, memory_mb), function, payload))
            # One that is thrown out is followed by the same payload, or that would have too few.
            self._turns[kind] += samples[-1].usable
        return samples

    def close(self) -> None:
        """End the environment that is kept for warm invocations."""
        if self._warm is not None:
            self._warm[2].close()
            self._warm = None

    def _next_payload(self, kind: tuple[str, int, bool]) -> Payload:
        payloads = self._functions[kind[0]].payloads
        return payloads[self._turns[kind] % len(payloads)]

    def _kept(self, function: str, memory_mb: int) -> ExecutionEnvironment:
        """One that has had each payload: what the first of a kind loads belongs to cold starts."""
        if self._warm is None or self._warm[:2] != (function, memory_mb):
            self.close()
            self._warm = function, memory_mb, self._new(function, memory_mb)
            for payload in self._functions[function].payloads:
                self._invoke(self._warm[2], function, payload)
        return self._warm[2]

    def _new(self, function: str, memory_mb: int) -> ExecutionEnvironment:
        hosted = self._functions[function]
        return self._host.environment(
            hosted.package,
            handler=hosted.handler,
            memory_mb=memory_mb,
            timeout_s=hosted.timeout_s,
            variables=hosted.variables,
        )

    def _invoke(self, made: ExecutionEnvironment, function: str, payload: Payload) -> Sample:
        self._events += 1
        invocation = made.invoke(json.dumps(payload.event(self._events)).encode())
        outcome = invocation.outcome
        if outcome is Outcome.OK and not self._functions[function].worked(json.loads(invocation.answer)):
            outcome = Outcome.FUNCTION_ERROR
        return Sample(
            function=function,
            memory_mb=invocation.memory_mb,
            payload=payload.name,
            cold=invocation.init_ms is not None,
            outcome=outcome,
            duration_ms=invocation.duration_ms,
            billed_ms=invocation.billed_ms,
            init_ms=invocation.init_ms,
            max_memory_mb=invocation.max_memory_mb,
            target_share=invocation.target_share,
            cpu_share=invocation.cpu_share,
        )


@contextlib.contextmanager
def open_local_site(progress: Callable[[str], None] = lambda _: None) -> Iterator[LocalSite]:
    """A site with this checkout's functions; all that it started is gone after the block.

    Raises:
        PackageError: a package cannot be built.
        HostError: this machine cannot host a function.
    """
    progress("building the packages")
    packages = built()
    with LambdaHost() as host, canned_aws(DELAYS_S) as endpoint_url:
        variables = {**environment(endpoint_url), **_NO_PACE, "ANTHROPIC_BASE_URL": endpoint_url}
        functions = {
            spec.key: HostedFunction(
                package=packages[spec],
                handler=spec.handler,
                timeout_s=CONFIG.timeout_s[spec],
                variables=variables,
                payloads=PAYLOADS[spec],
                worked=functools.partial(worked, spec),
            )
            for spec in FUNCTIONS
        }
        with contextlib.closing(LocalSite(host, functions, progress)) as site:
            yield site


@contextlib.contextmanager
def open_shapes(
    names: Sequence[str] = SHAPES, progress: Callable[[str], None] = lambda _: None
) -> Iterator[LocalSite]:
    """A site with functions of `loadtests.sizing.shapes`, of which the tuner's stored samples are made.

    Raises:
        HostError: this machine cannot host a function.
    """
    functions = {
        name: HostedFunction(
            package=_SHAPES,
            handler=f"{name}.handler",
            timeout_s=SHAPE_TIMEOUT_S,
            variables={},
            payloads=(Payload("nothing", 1.0, lambda _number: {}),),
            worked=lambda answer: answer == {"ok": True},
        )
        for name in names
    }
    with LambdaHost() as host, contextlib.closing(LocalSite(host, functions, progress)) as site:
        yield site
