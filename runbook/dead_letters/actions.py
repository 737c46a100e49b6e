"""What is done about dead letters: look at all of them, send some again, drop some.

Sending comes before deleting, and the ledger says what is done already. So a run that was killed loses
nothing and repeats nothing: run again it goes on with what is left.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnectionError

from clients.aws import passes
from clients.deployment import Deployment, RegionEndpoints
from clients.ledger import ParkedAlerts
from handlers.adapters.aws.sqs import SqsQueueSender
from handlers.domain.alert import Alert
from handlers.domain.ports import QueueSendError
from runbook.dead_letters.letters import DeadLetter, Reason, Rows, Selection, counts, dead_letters_of
from runbook.dead_letters.queue import HIDDEN_S, DeadLetterQueue, Message
from topology.functions import RECEPTION
from topology.limits import SQS_BATCH_MAX
from topology.names import LIVE_ALIAS
from topology.queues import DEAD_LETTER_QUEUES, WORK_QUEUES, Queue, QueueSpec

KILLED_S: Final = HIDDEN_S + 10
"""How long a run waits for what another one hides, which may have been killed."""

_FAILURES: Final = (BotoCoreError, ClientError, QueueSendError)


@dataclass(frozen=True)
class Place:
    """One dead-letter queue of one region."""

    endpoints: RegionEndpoints
    queue: QueueSpec

    @property
    def region(self) -> str:
        """Its region."""
        return self.endpoints.region

    def __str__(self) -> str:
        """As people name it."""
        return f"{self.queue.suffix} in {self.region}"


@dataclass(kw_only=True)
class Survey:
    """What lies in a queue. `more`: how many were not looked at, or are hidden by somebody else.

    `problem`: why that is unknown; empty where it is known.
    """

    place: Place
    letters: Sequence[DeadLetter] = ()
    more: int = 0
    problem: str = ""


@dataclass(kw_only=True)
class Tally:
    """What became of a queue's messages, by reason. `left` are those that were not chosen.

    `undeleted`: sent again, or written down, but still in the queue: the next run sees to them. `hidden`:
    with somebody else to the end. `named`: which of the ids that were asked for are there. `problem`: why not
    all were seen to; empty where all were.
    """

    place: Place
    done: Counter[Reason] = field(default_factory=Counter)
    left: Counter[Reason] = field(default_factory=Counter)
    undeleted: int = 0
    hidden: int = 0
    named: set[str] = field(default_factory=set)
    problem: str = ""


Progress = Callable[[Tally], object]


class DeadLetters:
    """The dead letters of a stack. The ledger is asked in the queue's region, or else in the other."""

    def __init__(
        self,
        deployment: Deployment,
        *,
        now_s: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Nothing is read yet."""
        self._deployment, self._now_s, self._sleep = deployment, now_s, sleep
        self._ledger = ParkedAlerts(deployment)
        self._reception = deployment.names.function(RECEPTION)

    def places(self, regions: Sequence[RegionEndpoints] = ()) -> list[Place]:
        """The dead-letter queues of these regions, or of both."""
        among = regions or self._deployment.regions
        return [Place(endpoints, spec) for endpoints in among for spec in DEAD_LETTER_QUEUES]

    def survey(self, places: Sequence[Place], *, at_most: int) -> list[Survey]:
        """What lies in each queue, of each at most so many messages; all queues at once.

        Raises:
            LedgerUnreachableError: no region's ledger answers.
            KeyboardInterrupt: a person ended it; the text says when the messages are there again.
        """
        ended = Event()
        with ThreadPoolExecutor(max_workers=max(len(places), 1), thread_name_prefix="dlq") as pool:
            try:
                return [*pool.map(lambda place: self._surveyed(place, at_most, ended), places)]
            except KeyboardInterrupt as interrupt:
                ended.set()
                raise KeyboardInterrupt(
                    f"nothing was changed; what was looked at is there again within {HIDDEN_S} s"
                ) from interrupt

    def redrive(
        self, place: Place, selection: Selection, *, per_s: float, progress: Progress = lambda _: None
    ) -> Tally:
        """Send the chosen messages where they belong, at most `per_s` a second, and delete each after that.

        A wake-up goes where its alert goes next, an alarm to reception, anything else to where it failed.

        Raises:
            LedgerUnreachableError: no region's ledger answers; nothing more is sent.
        """

        def send_all(letters: Sequence[DeadLetter]) -> None:
            self._send(place, letters)

        return self._see_to(place, selection, send_all, per_s=per_s, progress=progress)

    def drop(
        self,
        place: Place,
        selection: Selection,
        *,
        keep: Callable[[Place, Sequence[DeadLetter]], None],
        progress: Progress = lambda _: None,
    ) -> Tally:
        """Delete the chosen messages; `keep` has to have written them down when it returns.

        Raises:
            LedgerUnreachableError: no region's ledger answers; nothing more is dropped.
            Whatever `keep` raises.
        """
        return self._see_to(
            place, selection, lambda letters: keep(place, letters), per_s=None, progress=progress
        )

    def _surveyed(self, place: Place, at_most: int, ended: Event) -> Survey:
        survey = Survey(place=place)
        try:
            with self._opened(place) as queue:
                letters: list[DeadLetter] = []
                for messages in queue.batches(at_most=at_most):
                    letters += self._told(place, messages)
                    if ended.is_set():
                        queue.leave()
                        return survey
                survey.letters, survey.more = letters, queue.others()
        except _FAILURES as error:
            survey.problem = _said(error)
        return survey

    def _see_to(
        self,
        place: Place,
        selection: Selection,
        act: Callable[[Sequence[DeadLetter]], None],
        *,
        per_s: float | None,
        progress: Progress,
    ) -> Tally:
        tally, begun_s = Tally(place=place), self._now_s()
        size = SQS_BATCH_MAX if per_s is None else max(1, min(int(per_s), SQS_BATCH_MAX))
        try:
            with self._opened(place) as queue:
                for messages in queue.batches(size=size, wait_s=KILLED_S):
                    letters = self._told(place, messages)
                    chosen = [letter for letter in letters if selection.takes(letter)]
                    tally.named |= selection.named(letters)
                    tally.left.update(letter.reason for letter in letters if not selection.takes(letter))
                    if chosen:
                        act(chosen)
                        tally.done.update(counts(chosen))
                        tally.undeleted += queue.delete([letter.message for letter in chosen])
                    progress(tally)
                    if per_s is not None:
                        ahead_s = tally.done.total() / per_s - (self._now_s() - begun_s)
                        self._sleep(max(ahead_s, 0))
                tally.hidden = queue.others()
        except _FAILURES as error:
            tally.problem = _said(error)
        return tally

    @contextmanager
    def _opened(self, place: Place) -> Iterator[DeadLetterQueue]:
        """The queue; whatever happens, what was not deleted is given back."""
        queue = DeadLetterQueue(
            self._client("sqs", place), place.endpoints.queue_url(place.queue), now_s=self._now_s
        )
        try:
            yield queue
        finally:
            with suppress(BotoCoreError, ClientError):  # it shows them by itself, a minute later
                queue.give_back()

    def _told(self, place: Place, messages: Sequence[Message]) -> list[DeadLetter]:
        def read_rows(ids: Sequence[str]) -> Rows:
            return self._ledger.by_handlers_ledger(place.region, lambda ledger: ledger.get_many(ids))

        return dead_letters_of(messages, read_rows, reception=self._reception)

    def _send(self, place: Place, letters: Sequence[DeadLetter]) -> None:
        sqs = self._client("sqs", place)
        urls = {Queue(spec.key): place.endpoints.queue_url(spec) for spec in WORK_QUEUES}
        wake_ups: dict[Queue, list[Alert]] = {}
        for letter in letters:
            if letter.alert is not None:
                wake_ups.setdefault(letter.alert.queue, []).append(letter.alert)
            elif letter.invocation is not None:
                self._client("lambda", place).invoke(
                    FunctionName=self._reception,
                    Qualifier=LIVE_ALIAS,
                    InvocationType="Event",
                    Payload=bytes(letter.invocation.request_payload),
                )
            else:
                _send_as_it_is(sqs, place, letter.message)
        sender = SqsQueueSender(sqs, urls)
        for queue, alerts in wake_ups.items():
            sender.send(queue, alerts)

    def _client(self, service: str, place: Place) -> Any:
        return self._deployment.clients.client(service, place.region)


def _send_as_it_is(sqs: Any, place: Place, message: Message) -> None:
    """To the queue that it failed in; without one, to the first that this dead-letter queue is for."""
    source = message.source or next(spec for spec in WORK_QUEUES if spec.dead_letter == place.queue)
    group = {"MessageGroupId": message.group} if message.group else {}
    sqs.send_message(QueueUrl=place.endpoints.queue_url(source), MessageBody=message.body, **group)


def _said(error: Exception) -> str:
    """The failure in one line, and what to do; of one of ours, what AWS said."""
    cause = error.__cause__ if isinstance(error, QueueSendError) and error.__cause__ else error
    lasts = isinstance(cause, BotoCoreError | ClientError) and not passes(cause)
    silent = isinstance(cause, NoConnectionError | HTTPClientError)
    again = "run it again to go on" + (", once the region answers" if silent else "")
    step = "put right what it says, then run it again" if lasts else again
    return f"{' '.join(str(cause).split()).rstrip('.')}; {step}"
