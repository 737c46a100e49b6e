"""What the workers logged about dead letters: why they gave each of them up."""

from collections.abc import Iterable, Mapping

from clients.deployment import Deployment
from clients.ledger import ALERT_ID
from clients.logs import LogLine, read_events
from runbook.dead_letters.actions import Survey
from runbook.dead_letters.letters import DeadLetter
from topology.functions import FunctionSpec
from topology.queues import WORK_QUEUES, QueueSpec


def consumer_of(queue: QueueSpec) -> FunctionSpec:
    """The function that could not work the messages of a dead-letter queue."""
    return next(spec.consumer for spec in WORK_QUEUES if spec.dead_letter == queue and spec.consumer)


def last_lines(deployment: Deployment, surveys: Iterable[Survey]) -> Mapping[str, LogLine]:
    """The last line about the newest message of each queue and reason, by its id, where there is one.

    Of all messages it would take a search of days of the log.

    Raises: as `lines_about` does.
    """
    found: dict[str, LogLine] = {}
    for survey in surveys:
        oldest_first = sorted(survey.letters, key=lambda letter: letter.message.sent_at_ms)
        for letter in {letter.reason: letter for letter in oldest_first}.values():
            for line in lines_about(deployment, survey, letter)[-1:]:
                found[letter.message.message_id] = line
    return found


def lines_about(deployment: Deployment, survey: Survey, letter: DeadLetter) -> list[LogLine]:
    """Every line of the worker's log that names the message or its alert, in time order.

    Raises:
        LogCutOffError: a log cannot be read to its end.
        botocore.exceptions.ClientError, BotoCoreError: a region does not answer, or refuses.
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
