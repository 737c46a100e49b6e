"""The metrics that the checks share: a region's are read by one call, which the first that asks makes."""

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from clients.metrics import Metric, Point, function_metric, own_metric, read_metrics, total
from deploy.checks.subject import Subject
from topology.functions import FUNCTIONS, FunctionSpec
from topology.metrics import CACHE_HITS, MODEL_CALLS, REFUSALS

INVOCATIONS: Final = "Invocations"
ERRORS: Final = "Errors"
THROTTLES: Final = "Throttles"
_OF_FUNCTIONS: Final = (INVOCATIONS, ERRORS, THROTTLES)
_OF_STACK: Final = (REFUSALS, CACHE_HITS, MODEL_CALLS)

Points = Mapping[str, list[Point]]


class Figures:
    """What CloudWatch has of the last `period_s * periods` seconds. None is no data, and never 0."""

    def __init__(self, subject: Subject, *, period_s: int, periods: int) -> None:
        """Nothing is read yet. `period_s`: a multiple of 60."""
        self._subject, self.period_s, self.span_s = subject, period_s, period_s * periods
        self._locks = {region: threading.Lock() for region in subject.regions}
        self._read: dict[str, Points | BotoCoreError | ClientError] = {}

    def of(self, region: str, function: FunctionSpec, name: str) -> float | None:
        """The sum of a function's metric.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: the region does not answer, or refuses.
        """
        return total(self.points(region)[_key(function, name)])

    def points(self, region: str) -> Points:
        """Everything that is known of a region, by metric.

        Raises:
            botocore.exceptions.ClientError, BotoCoreError: as `of`, for each check that asks.
        """
        with self._locks[region]:
            if region not in self._read:
                try:
                    self._read[region] = self._read_now(region)
                except (BotoCoreError, ClientError) as error:
                    self._read[region] = error
            found = self._read[region]
        if isinstance(found, Exception):
            raise found
        return found

    def _read_now(self, region: str) -> Points:
        until = self._subject.now()
        return read_metrics(
            self._subject.client("cloudwatch", region),
            _metrics(self._subject),
            since=until - timedelta(seconds=self.span_s),
            until=until,
            period_s=self.period_s,
        )


def _metrics(subject: Subject) -> Mapping[str, Metric]:
    names = subject.deployment.names
    of_functions = {
        _key(spec, name): function_metric(names.function(spec), name)
        for spec in FUNCTIONS
        for name in _OF_FUNCTIONS
    }
    return of_functions | {name: own_metric(names.stack, name) for name in _OF_STACK}


def _key(function: FunctionSpec, name: str) -> str:
    return f"{function.key} {name}"
