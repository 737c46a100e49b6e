"""The POST of a message: within its time, and what becomes of its alerts by what Slack answers."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery.channels import Channel, Channels
from handlers.domain.delivery.gathering import Gathering
from handlers.domain.delivery.leases import Deadline, Leases
from handlers.domain.delivery.messages import Message, ThreadReply
from handlers.domain.delivery.outcomes import Outcomes
from handlers.domain.limits import MAX_DEFERRAL_S
from handlers.domain.ports import (
    NotifierError,
    NotifierMisaddressedError,
    NotifierRefusedError,
    NotifierThrottledError,
    NotifierUnavailableError,
)

_log = logging.getLogger(__name__)

LEDGER_RESERVE_MS: Final = 1_000
"""Kept for the ledger write after the POST."""

_LEAST_POST_MS: Final = 500
_MAX_POST_S: Final = 10.0
_MAX_PAUSE_MS: Final = 2_000
"""Of a worker, for a slot."""

_DEFAULT_RETRY_AFTER_S: Final = 5.0


class Posting(msgspec.Struct, frozen=True, kw_only=True):
    """Posts about alerts that the caller has claimed."""

    leases: Leases
    channels: Channels
    gathering: Gathering
    outcomes: Outcomes

    def post(
        self,
        message: Message,
        alerts: Sequence[Alert],
        deadline: Deadline,
        *,
        until_ms: int,
        posted: Callable[[int, str | None], object],
    ) -> None:
        """Post `message` about `alerts` before `until_ms`; then record it by `posted`, or give each back."""
        channel, outcomes = self.channels.of(alerts[0].route), self.outcomes
        left_ms = self._ms_until(until_ms)
        if left_ms < _LEAST_POST_MS:
            self.gathering.each(lambda alert: outcomes.give_back(alert, deadline, wait_s=1), alerts)
            return
        try:
            reference = channel.notifier.post(message, timeout_s=min(left_ms / 1000, _MAX_POST_S))
        except NotifierThrottledError as error:
            wait_s = self._stay_away(channel, error)
            self.gathering.each(lambda alert: outcomes.give_back(alert, deadline, wait_s=wait_s), alerts)
        except (NotifierUnavailableError, NotifierMisaddressedError) as error:
            failure = error  # a name that the function below may keep
            self.gathering.each(lambda alert: outcomes.failed(alert, failure, deadline), alerts)
        except NotifierRefusedError as error:
            reason = str(error)
            alone = len(alerts) == 1
            self.gathering.each(lambda alert: outcomes.refused(alert, reason, deadline, alone=alone), alerts)
        else:
            posted(self.leases.clock.now_ms(), reference)

    def reply(
        self, replies: Sequence[ThreadReply], reference: str | None, channel: Channel, deadline: Deadline
    ) -> None:
        """Post whole analyses below a digest, at the channel's pace while there is time.

        They are in the ledger too, so what is not posted here is not posted any more.
        """
        for reply in replies:
            while wait_ms := channel.rate_limiter.reserve(urgent=False):
                if wait_ms > _MAX_PAUSE_MS or self._ms_until(deadline.soft_ms) < wait_ms + _LEAST_POST_MS:
                    return
                self.leases.sleeper.sleep(wait_ms / 1000)
            left_ms = self._ms_until(deadline.hard_ms - LEDGER_RESERVE_MS)
            if left_ms < _LEAST_POST_MS:
                break
            try:
                channel.notifier.post(
                    replace(reply, parent_ref=reference), timeout_s=min(left_ms / 1000, _MAX_POST_S)
                )
            except NotifierError as error:
                if isinstance(error, NotifierThrottledError):
                    self._stay_away(channel, error)
                _log.warning("Analyses are not in the thread", extra={"digest": reference}, exc_info=True)
                break

    def _stay_away(self, channel: Channel, error: NotifierThrottledError) -> float:
        """Have everybody wait as Slack asked; for how many seconds."""
        asked_s = _DEFAULT_RETRY_AFTER_S if error.retry_after_s is None else error.retry_after_s
        wait_s = min(max(asked_s, 1), MAX_DEFERRAL_S)
        _log.info("Slack asked to wait", extra={"retry_after_s": wait_s})
        channel.rate_limiter.back_off(until_ms=self.leases.clock.now_ms() + round(wait_s * 1000))
        return wait_s

    def _ms_until(self, until_ms: int) -> int:
        return until_ms - self.leases.clock.now_ms()
