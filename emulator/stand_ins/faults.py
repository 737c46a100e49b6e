"""Faults that a person, a test or a chaos experiment asks of the stand-ins."""

import asyncio
from collections.abc import Callable
from typing import Final, Literal

import msgspec

Service = Literal["slack", "claude"]

KINDS: Final[dict[Service, frozenset[str]]] = {
    "slack": frozenset(
        {"rate_limited", "server_error", "invalid_token", "no_active_hooks", "channel_is_archived",
         "invalid_payload", "invalid_blocks", "slow", "hang", "reset", "reset_after_accept",
         "server_error_after_accept"}
    ),
    "claude": frozenset(
        {"rate_limited", "overloaded", "server_error", "spend_limit", "slow", "hang", "reset",
         "malformed", "truncated", "refusal", "error_as_200", "event_stream", "empty_content",
         "garbled_escape", "empty_action"}
    ),
}  # fmt: skip
"""What each stand-in can be asked to do. `slow` answers after `delay_s`; `hang` drops the connection after
`delay_s` unanswered; Claude does either at once when it is cleared. `reset` drops it at once;
`reset_after_accept` drops it after the message was posted, so that the outcome is unknown to the sender; so
does `server_error_after_accept`, which answers 500.

`invalid_blocks` refuses each message with a layout and takes one of text alone. `error_as_200` is an error
object under status 200, `event_stream` a whole stream that nobody asked for, `empty_content` a message
without any. `garbled_escape` has an escape in its text that is none and half of a surrogate pair,
`empty_action` an empty text in its first list.
"""


class FaultError(Exception):
    """The fault is not one that the stand-in knows; nothing was changed."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One fault. `times` requests meet it, or all until it is cleared; from `region` only, if given."""

    service: Service
    kind: str
    times: int | None = None
    region: str | None = None
    retry_after_s: int = 1
    delay_s: float = 60.0


class Faults:
    """The faults in force; the oldest that fits a request is met first."""

    def __init__(self, on_met: Callable[[Fault, str], None] = lambda _fault, _region: None) -> None:
        """Start with none. `on_met` is told of each fault that a request met, and the request's region."""
        self._in_force: list[Fault] = []
        self.cleared = asyncio.Event()
        """Set once what is in force by now is cleared."""
        self._on_met = on_met

    @property
    def in_force(self) -> tuple[Fault, ...]:
        """Oldest first, each with the `times` that are left."""
        return tuple(self._in_force)

    def add(self, fault: Fault) -> None:
        """Put `fault` in force.

        Raises:
            FaultError: its kind is unknown, or its numbers make no sense.
        """
        kinds = KINDS[fault.service]
        if fault.kind not in kinds:
            raise FaultError(
                f"{fault.service} has no fault {fault.kind!r}; it has {', '.join(sorted(kinds))}"
            )
        if (fault.times is not None and fault.times < 1) or fault.delay_s < 0 or fault.retry_after_s < 0:
            raise FaultError(f"times is 1 or more, delay_s and retry_after_s are not negative, not {fault}")
        self._in_force.append(fault)

    def clear(self) -> None:
        """Leave none in force."""
        self._in_force.clear()
        self.cleared.set()
        self.cleared = asyncio.Event()

    def meet(self, service: Service, region: str) -> Fault | None:
        """The fault that a request from `region` meets, counted down; None for none."""
        for index, fault in enumerate(self._in_force):
            if fault.service == service and fault.region in {None, region}:
                if fault.times is not None:
                    left = fault.times - 1
                    self._in_force[index : index + 1] = (
                        [msgspec.structs.replace(fault, times=left)] if left else []
                    )
                self._on_met(fault, region)
                return fault
        return None
