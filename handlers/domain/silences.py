"""Which silence an alert is under: a configured one, or one that people made.

Analysis asks before anything else, so that a silenced alert costs no call of the model. What people made is
one record, which is remembered for a few seconds. While it cannot be read, nothing that it says is silenced.
"""

import logging
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.limits import REMEMBERED_MS
from handlers.domain.ports import Clock, CoordinationUnavailableError

if TYPE_CHECKING:
    from topology.silences import Silence

_log: Final = logging.getLogger(__name__)


class StoredSilences(Protocol):
    """The record of the silences that people made."""

    def read(self) -> str:
        """Its text by a strongly consistent read, as `topology.silences.stored_text` made it; empty for none.

        Raises:
            CoordinationUnavailableError: it did not answer.
        """


class Silences(msgspec.Struct, kw_only=True):
    """The silences of a stack, as one instance knows them. `configured`: by the stack's configuration."""

    stored: StoredSilences
    clock: Clock
    configured: "tuple[Silence, ...]" = ()
    _known: "tuple[Silence, ...]" = ()
    _known_at_ms: int | None = None

    def any_now(self, *, now_s: int) -> bool:
        """Whether there is a silence now, whatever it is of."""
        return any(one.from_s <= now_s < one.until_s for one in (*self.configured, *self.made_by_people()))

    def silence_of(self, alert: Alert, *, now_s: int) -> "Silence | None":
        """The silence that the alert is under now, of several the one that ends last."""
        covering = [
            silence
            for silence in (*self.configured, *self.made_by_people())
            if silence.covers(alert, now_s=now_s)
        ]
        return max(covering, key=lambda silence: silence.until_s, default=None)

    def made_by_people(self) -> "tuple[Silence, ...]":
        """Those of the record, read again after `REMEMBERED_MS`; none while that fails."""
        now_ms = self.clock.now_ms()
        if self._known_at_ms is None or not 0 <= now_ms - self._known_at_ms < REMEMBERED_MS:
            self._known, self._known_at_ms = self._read(), now_ms
        return self._known

    def _read(self) -> "tuple[Silence, ...]":
        try:
            text = self.stored.read()
            if not text:
                return ()
            from topology.silences import read_stored  # noqa: PLC0415 - its time is for who has silences

            return read_stored(text)
        except CoordinationUnavailableError:
            _log.exception("The silences cannot be read: nothing that people silenced is")
        except ValueError:
            _log.exception("The silences are malformed: nothing that people silenced is; make them anew")
        return ()
