"""AWS as a place to sample: versions of a deployed stack's functions, invoked by their number.

The stack works meanwhile, and sees what comes of it: what reception takes in goes through the pipeline, and
so does what analysis was given; all of it is posted to the stack's Slack, at its pace. So the caller has
asked `loadtests.target.open_target`, which refuses stacks that no load may be put on.
"""

import base64
import contextlib
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from clients.aws import AwsClients
from clients.deployment import Deployment, RegionEndpoints
from emulator.lambda_host.invocations import Outcome
from loadtests.isolated.events import PAYLOADS, Event, Payload, worked
from loadtests.sizing.report_lines import read_report
from loadtests.sizing.samples import OK, Sample
from loadtests.sizing.stored_alerts import StoredAlerts, StoredAlertsError
from loadtests.sizing.versions import NotPutBackError, SizeRefusedError, Versions
from loadtests.throughput.event_sources import EventSources
from topology.errors import ExplainedError
from topology.functions import ANALYSIS, DISTRIBUTION, FUNCTIONS, RECEPTION, FunctionSpec
from topology.limits import LAMBDA_TIMEOUT_MAX_S
from topology.names import Names

COLD_AT_ONCE: Final = 5
"""Invocations of a new version at a time, each of which starts an environment; half of what is reserved if
that is less, so that the stack can work on. Distribution and Recovery are invoked one at a time."""

THROTTLED_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
TRIES_OF_EACH: Final = 3
"""Of an invocation of distribution that found no room in Slack's pace, or took other alerts along."""

SLOTS_APART: Final = 3
GATHERED_WITHIN_S: Final = 1.0
"""Messages of samples are so many of Slack's slots and so many seconds apart: what takes its slot sooner is
told to come back, or takes others for waiting (`handlers.domain.delivery.rate_limit`)."""

_SPECS: Final[Mapping[str, FunctionSpec]] = {spec.key: spec for spec in FUNCTIONS}
_SIDE_BY_SIDE: Final = (RECEPTION, ANALYSIS)


class SiteLostError(ExplainedError):
    """AWS refused what a sweep needs, or did not answer."""


class _Request(NamedTuple):
    payload: Payload
    event: Event


class AwsSite:
    """`Site` of the four functions in one region of a stack. `open_aws_site` makes it.

    Warm invocations come one after the other, to one version a size; cold ones each to an environment of its
    own, of a version that is new. What comes out as the other kind is told as what it is.
    """

    def __init__(
        self,
        functions: Any,
        names: Names,
        *,
        alerts: StoredAlerts,
        versions: Versions,
        reserved: Mapping[FunctionSpec, int | None],
        slack_interval_s: float,
        asks_model: bool = False,
        progress: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`functions` is a client of Lambda that waits for as long as a function may take, and tries once.

        `reserved`: each function's concurrency, None for nothing. `asks_model`: new faults are sent too.
        """
        self._lambda, self._names = functions, names
        self._alerts, self._versions, self._reserved = alerts, versions, reserved
        self._apart_s = SLOTS_APART * slack_interval_s + GATHERED_WITHIN_S
        self._asks_model, self._progress = asks_model, progress
        self._numbers = itertools.count(1)
        self._turns: Counter[tuple[str, int, bool]] = Counter()
        self._warm: dict[tuple[FunctionSpec, int], str] = {}

    @property
    def name(self) -> str:
        """The stack and its region, in a line."""
        return f"Lambda in {self._lambda.meta.region_name}, stack {self._names.stack}"

    @property
    def weights(self) -> Mapping[str, Mapping[str, float]]:
        """By function, the weight of each payload that is sent here."""
        return {key: {one.name: one.weight for one in self.payloads(key)} for key in _SPECS}

    def measurable(self, memory_mb: int) -> str | None:  # noqa: ARG002 - what AWS refuses shows when it is asked
        """See `Site`: every size, unless the account's limit is lower, which its first sample says."""
        return None

    def payloads(self, function: str) -> Sequence[Payload]:
        """What the function is invoked with here."""
        return [one for one in PAYLOADS[_SPECS[function]] if self._asks_model or not one.asks_model]

    def sample(self, function: str, memory_mb: int, *, cold: bool, count: int) -> list[Sample]:
        """See `Site`. After one that failed there are no more.

        Raises:
            NoReportError, StoredAlertsError, VariablesUnreadError: see there.
            botocore.exceptions.ClientError, BotoCoreError: AWS refuses, or does not answer.
        """
        spec, samples = _SPECS[function], list[Sample]()
        kind = "cold" if cold else "warm"
        for _ in range(TRIES_OF_EACH * count):
            if len(samples) >= count or any(one.outcome != OK for one in samples):
                break
            self._progress(f"{function}, {memory_mb} MB, {kind}: {len(samples) + 1} of {count}")
            try:
                if cold:
                    samples += self._cold(spec, memory_mb, count - len(samples))
                else:
                    version = self._warm_version(spec, memory_mb)
                    request = self._next_request(spec, memory_mb, cold=False)
                    samples += self._invoke(spec, memory_mb, version, request)
            except SizeRefusedError as error:
                samples.append(_refused(spec, memory_mb, str(error), cold=cold))
        return samples

    def _cold(self, spec: FunctionSpec, memory_mb: int, count: int) -> list[Sample]:
        room = (self._reserved[spec] or 2 * COLD_AT_ONCE) // 2 if spec in _SIDE_BY_SIDE else 1
        at_once = max(1, min(count, COLD_AT_ONCE, room))
        version = self._versions.publish(spec, memory_mb)
        requests = [self._next_request(spec, memory_mb, cold=True) for _ in range(at_once)]
        with ThreadPoolExecutor(at_once) as callers:
            begun = [callers.submit(self._invoke, spec, memory_mb, version, one) for one in requests]
            samples = [sample for one in begun for sample in one.result()]
        self._versions.delete(spec, version)
        return samples

    def _warm_version(self, spec: FunctionSpec, memory_mb: int) -> str:
        """One that has had each payload: what the first of a kind loads belongs to cold starts."""
        version = self._warm.get((spec, memory_mb))
        if version is None:
            version = self._warm[spec, memory_mb] = self._versions.publish(spec, memory_mb)
            for payload in self.payloads(spec.key):
                self._invoke(spec, memory_mb, version, self._request(spec, payload))
        return version

    def _invoke(self, spec: FunctionSpec, memory_mb: int, version: str, request: _Request) -> list[Sample]:
        """One invocation; nothing if it did not do what its payload stands for."""
        answer = self._answer(self._names.function(spec), version, json.dumps(request.event))
        tail = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        report = read_report(tail, failed="FunctionError" in answer)
        outcome = report.outcome
        if outcome is Outcome.OK:
            if not worked(spec, json.loads(answer["Payload"].read())):
                outcome = Outcome.FUNCTION_ERROR
            elif spec is DISTRIBUTION and not self._alerts.told_alone(request.event):
                return []
        sample = Sample(
            function=spec.key,
            memory_mb=memory_mb,
            payload=request.payload.name,
            cold=report.cold,
            outcome=outcome,
            duration_ms=report.duration_ms,
            billed_ms=report.billed_ms,
            init_ms=report.init_ms,
            max_memory_mb=report.max_memory_mb,
        )
        return [sample]

    def _answer(self, name: str, version: str, event: str) -> Mapping[str, Any]:
        """Invoke it, again where it is throttled, and only there: whatever ran has used its event up."""
        for pause_s in THROTTLED_PAUSES_S:
            try:
                return self._call(name, version, event)
            except self._lambda.exceptions.TooManyRequestsException:
                time.sleep(pause_s)
        return self._call(name, version, event)

    def _call(self, name: str, version: str, event: str) -> Mapping[str, Any]:
        answer: Mapping[str, Any] = self._lambda.invoke(
            FunctionName=name, Qualifier=version, LogType="Tail", Payload=event
        )
        return answer

    def _next_request(self, spec: FunctionSpec, memory_mb: int, *, cold: bool) -> _Request:
        kind, payloads = (spec.key, memory_mb, cold), self.payloads(spec.key)
        self._turns[kind] += 1
        return self._request(spec, payloads[self._turns[kind] % len(payloads)])

    def _request(self, spec: FunctionSpec, payload: Payload) -> _Request:
        """An invocation that can be made now, with what the function will look for."""
        if spec is DISTRIBUTION:
            self._alerts.wait_until_told()
            time.sleep(self._apart_s)
        return _Request(payload, self._alerts.prepare(payload.event(next(self._numbers))))


@contextlib.contextmanager
def open_aws_site(
    deployment: Deployment,
    endpoints: RegionEndpoints,
    *,
    asks_model: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[AwsSite]:
    """A site in one region of a stack. Before and after the block all is put back, however a sweep ended.

    So an empty block repairs what a killed sweep left. The block must be left in an ordinary way or by an
    exception: see `clients.interrupts`.

    Raises:
        NotPutBackError: naming each function with the size that it had, and alerts that may be left.
        SiteLostError: AWS refused a call, or did not answer, and all was put back.
        VariablesUnreadError: a function's environment cannot be read.
    """
    alerts = StoredAlerts(deployment, endpoints.region)
    versions = Versions(deployment, endpoints.region)

    def put_back() -> None:
        progress("putting back what was changed")
        left = []
        for act in (versions.put_back, alerts.delete):
            try:
                if under_way := act():
                    progress(f"{under_way} alerts are on their way to Slack still; they expire by themselves")
            except (NotPutBackError, StoredAlertsError) as error:
                left.append(str(error))
        if left:
            raise NotPutBackError("; ".join(left))

    put_back()
    patient = AwsClients(
        deployment.clients.endpoint_url, read_timeout_s=LAMBDA_TIMEOUT_MAX_S + 10, attempts_max=1
    )
    try:
        yield AwsSite(
            patient.client("lambda", endpoints.region),
            deployment.names,
            alerts=alerts,
            versions=versions,
            reserved=EventSources(deployment, endpoints.region).read().reserved,
            slack_interval_s=int(versions.variables(DISTRIBUTION)["SLACK_INTERVAL_MS"]) / 1000,
            asks_model=asks_model,
            progress=progress,
        )
    except (BotoCoreError, ClientError) as error:
        raise SiteLostError(f"the sweep ended in the middle ({error}); all is put back") from error
    finally:
        put_back()


def _refused(spec: FunctionSpec, memory_mb: int, why: str, *, cold: bool) -> Sample:
    """A size that cannot be had is a result too."""
    return Sample(
        function=spec.key,
        memory_mb=memory_mb,
        payload="none",
        cold=cold,
        outcome=why,
        duration_ms=0.0,
        billed_ms=0,
    )
