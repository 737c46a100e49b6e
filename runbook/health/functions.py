"""The functions and what they left in metrics: errors, throttles, throughput, refusals, cache."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from clients.checks import Check, Finding, failed, ok, unknown
from clients.metrics import total
from deploy.checks.subject import Subject
from runbook.health.figures import ERRORS, INVOCATIONS, THROTTLES, Figures
from topology.functions import FUNCTIONS, RECEPTION, FunctionSpec
from topology.health import ERRORS_OVER
from topology.metrics import CACHE_HITS, MODEL_CALLS, REFUSALS

_CATEGORY: Final = "functions"
_ACTIONS: Final = ("cloudwatch:GetMetricData",)
_NOT_INVOKED: Final = "no data: it was not invoked, or its metrics are minutes late"
_SYNTHETIC: Final = (
    "`responder heartbeats list` says whether synthetic alerts arrive; run it again when some have"
)
_PERCENT: Final = 100

CHECK_SEE: Final = "docs/runbook.md#automated-health-check"
DAILY_SEE: Final = "docs/runbook.md#morning-checks"


def error_checks(subject: Subject, figures: Figures) -> Iterator[Check]:
    """One for each function that the operations runbook has a threshold for, and one on throttles of all."""
    minutes = figures.span_s // 60
    for spec, over in ERRORS_OVER.items():
        yield subject.check(
            f"{spec.key}-errors",
            _CATEGORY,
            f"{spec.suffix} failed at most {over} times in {minutes} minutes",
            actions=_ACTIONS,
            run=partial(_errors, figures, spec, over),
            see=CHECK_SEE,
        )
    yield throttle_check(subject, figures, CHECK_SEE)


def throttle_check(subject: Subject, figures: Figures, see: str) -> Check:
    """No invocation of any function was throttled."""
    return subject.check(
        "throttles",
        _CATEGORY,
        "no invocation was throttled",
        actions=_ACTIONS,
        run=partial(_throttles, figures),
        see=see,
    )


def throughput_checks(subject: Subject, figures: Figures) -> tuple[Check, ...]:
    """What a day's metrics say: errors and invocations of each function, refusals, and the cache."""

    def check(name: str, title: str, run: partial[Finding]) -> Check:
        return subject.check(name, _CATEGORY, title, actions=_ACTIONS, run=run, see=DAILY_SEE)

    return (
        check("errors", "no invocation failed", partial(_day_errors, figures)),
        throttle_check(subject, figures, DAILY_SEE),
        check("throughput", "how often each function was invoked", partial(_throughput, figures)),
        check("refused", "no body was refused", partial(_refused, figures)),
        check("cache-hits", "how many analyses came from the cache", partial(_cache, figures)),
    )


def _errors(figures: Figures, spec: FunctionSpec, over: int, _: Subject, region: str) -> Finding:
    errors = figures.of(region, spec, ERRORS)
    if errors is None:
        return unknown(_NOT_INVOKED, _SYNTHETIC)
    said = f"{errors:.0f} of {_shown(figures.of(region, spec, INVOCATIONS))} invocations failed"
    return failed(f"{said}, more than {over}", _log(figures, region, spec)) if errors > over else ok(said)


def _throttles(figures: Figures, subject: Subject, region: str) -> Finding:
    throttles = {spec: figures.of(region, spec, THROTTLES) for spec in FUNCTIONS}
    if all(count is None for count in throttles.values()):
        return unknown(_NOT_INVOKED, _SYNTHETIC)
    if throttled := {spec: count for spec, count in throttles.items() if count}:
        said = ", ".join(f"{spec.suffix} {count:.0f} times" for spec, count in throttled.items())
        worst = subject.deployment.names.function(max(throttled, key=lambda spec: throttled[spec]))
        look = f"aws lambda get-function-concurrency --region {region} --function-name {worst}"
        return failed(f"throttled: {said}", f"`{look}`: is it less than the stack's reservedConcurrency?")
    return ok("none")


def _day_errors(figures: Figures, _: Subject, region: str) -> Finding:
    errors = {spec: figures.of(region, spec, ERRORS) for spec in FUNCTIONS}
    if all(count is None for count in errors.values()):
        return unknown(_NOT_INVOKED, _SYNTHETIC)
    said = ", ".join(f"{spec.suffix} {_shown(count)}" for spec, count in errors.items())
    worst = max(FUNCTIONS, key=lambda spec: errors[spec] or 0)
    return failed(said, _log(figures, region, worst)) if errors[worst] else ok(said)


def _throughput(figures: Figures, _: Subject, region: str) -> Finding:
    counts = {spec: figures.of(region, spec, INVOCATIONS) for spec in FUNCTIONS}
    if all(count is None for count in counts.values()):
        return unknown(_NOT_INVOKED, _SYNTHETIC)
    return ok(", ".join(f"{spec.suffix} {_shown(count)}" for spec, count in counts.items()))


def _refused(figures: Figures, _: Subject, region: str) -> Finding:
    """Refusals are written when there are some; reception that ran and wrote none has refused nothing."""
    refused = total(figures.points(region)[REFUSALS])
    if refused is None:
        invoked = figures.of(region, RECEPTION, INVOCATIONS)
        return ok("none") if invoked else unknown(_NOT_INVOKED, _SYNTHETIC)
    if not refused:
        return ok("none")
    log = _log(figures, region, RECEPTION)
    hint = f"mend the sender that the log shows (docs/architecture.md, Refusals): {log}"
    return failed(f"{refused:.0f} requests and members were refused, and reached nobody", hint)


def _cache(figures: Figures, _: Subject, region: str) -> Finding:
    points = figures.points(region)
    hits, asked = total(points[CACHE_HITS]), total(points[MODEL_CALLS])
    if hits is None and asked is None:
        return unknown("no data: nothing was analysed, or the metrics are minutes late")
    every = (hits or 0) + (asked or 0)
    rate = f"{_PERCENT * (hits or 0) / every:.0f} % from the cache, " if every else ""
    return ok(f"{rate}{hits or 0:.0f} hits, the model asked {asked or 0:.0f} times")


def _shown(count: float | None) -> str:
    return "unknown" if count is None else f"{count:.0f}"


def _log(figures: Figures, region: str, spec: FunctionSpec) -> str:
    hours = max(figures.span_s // 3_600, 1)
    return f"`responder logs tail --function {spec.key} --region {region} --since {hours}h`"
