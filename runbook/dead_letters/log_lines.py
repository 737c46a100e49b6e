"""What the workers logged about dead letters: why they gave each of them up."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from clients.deployment import Deployment
from clients.ledger import ALERT_ID
from clients.logs import LogLine, read_events
from runbook.dead_letters.actions import Survey
from runbook.dead_letters.letters import DeadLetter
from topology.functions import FunctionSpec
from topology.queues import WORK_QUEUES, QueueSpec

_OF_A_MESSAGE = '"message_id"'
"""A filter pattern: what the workers log about one message, and little else."""


def consumer_of(queue: QueueSpec) -> FunctionSpec:
    """The function that could not work the messages of a dead-letter queue."""
    return next(spec.consumer for spec in WORK_QUEUES if spec.dead_letter == queue and spec.consumer)


def last_lines(deployment: Deployment, surveys: Iterable[Survey]) -> Mapping[str, LogLine]:
    """The last line about each message, by its id, for those that have one: by one search of each log.

    Raises:
        LogCutOffError: a log cannot be read to its end.
        botocore.exceptions.ClientError, BotoCoreError: a region does not answer, or refuses.
    """
    found: dict[str, LogLine] = {}
    for survey in surveys:
        if not survey.letters:
            continue
        by_key: dict[str, list[str]] = defaultdict(list)
        for letter in survey.letters:
            for key in {letter.message.message_id, letter.alert_id} - {""}:
                by_key[key].append(letter.message.message_id)
        lines = read_events(
            deployment,
            consumer_of(survey.place.queue),
            survey.place.region,
            since_ms=min(letter.message.sent_at_ms for letter in survey.letters),
            pattern=_OF_A_MESSAGE,
        )
        for line in lines:
            fields = line.fields or {}
            for key in (str(fields.get("alert_id", "")), str(fields.get("message_id", ""))):
                found |= dict.fromkeys(by_key.get(key, ()), line)
    return found


def lines_about(deployment: Deployment, survey: Survey, letter: DeadLetter) -> list[LogLine]:
    """Every line of the worker's log that names the message or its alert, in time order.

    Raises: as `last_lines` does.
    """
    names = [letter.message.message_id, *filter(ALERT_ID.fullmatch, [letter.alert_id])]
    lines: dict[str, LogLine] = {}
    for name in names:
        found = read_events(
            deployment,
            consumer_of(survey.place.queue),
            survey.place.region,
            since_ms=letter.message.sent_at_ms,
            pattern=f'"{name}"',
        )
        lines |= {line.text: line for line in found}
    return sorted(lines.values(), key=lambda line: line.at_ms)
