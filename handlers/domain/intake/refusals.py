"""What is refused is seen: counted by format and reason, with a sample for whoever must mend the sender.

A request to a wrong path or with a wrong method (404, 405) is none: it hands over no alert, as any scanner's.
What is ignored, since it is no alert, is counted by format and logged with its reason.
"""

import logging
from collections import Counter
from collections.abc import Sequence
from typing import Final

import msgspec

from handlers.domain.formats import ParseResult
from handlers.domain.ports import RefusalMeter
from handlers.domain.refusal import RefusedError

_log = logging.getLogger(__name__)

_IGNORED_SAMPLE_CHARS: Final = 512
"""Of what is ignored: enough to find an event by what it said, and a quarter of what is refused."""


class Refusals(msgspec.Struct, frozen=True, kw_only=True):
    """Tells of refused requests, refused members of a group, and text on the alarm topic."""

    meter: RefusalMeter

    def tell(
        self, what: str, refused: Sequence[RefusedError], *, body_format: str, body: bytes, request_id: str
    ) -> None:
        """Count each of `refused`, and log each reason once, as `what`, with the part that it first refused.

        Reasons are a closed set, so a body of a thousand bad members costs a few lines. `request_id` is the
        API's, or the message's on the alarm topic.
        """
        from handlers.domain.redaction import sample_of  # noqa: PLC0415 - its patterns take 3 ms to compile

        firsts: dict[str, RefusedError] = {}
        for error in refused:
            firsts.setdefault(error.code, error)
        counts = Counter(error.code for error in refused)
        for code, error in firsts.items():
            self.meter.count(body_format=body_format, reason=code, number=counts[code])
            _log.warning(
                what,
                extra={
                    "error": code,
                    "field": error.field,
                    "format": body_format,
                    "refused": counts[code],
                    "request_id": request_id,
                    "sample": sample_of(body if error.part is None else error.part.encode()),
                },
            )

    def tell_ignored(self, parsed: ParseResult, *, body: bytes, request_id: str) -> None:
        """Count the members of a body that are no alerts, and log each reason once, with the body's start.

        What only notes heartbeats comes as often as they do, and is logged without it.
        """
        if not parsed.ignored:
            return
        sample = {}
        if any(member.heartbeat is None for member in parsed.ignored):
            from handlers.domain.redaction import sample_of  # noqa: PLC0415 - as above

            sample = {"sample": sample_of(body)[:_IGNORED_SAMPLE_CHARS]}
        self.meter.count_ignored(body_format=parsed.format, number=len(parsed.ignored))
        for reason, number in Counter(member.reason for member in parsed.ignored).items():
            _log.info(
                "Ignored what is no alert",
                extra={
                    "reason": reason,
                    "format": parsed.format,
                    "ignored": number,
                    "request_id": request_id,
                    **sample,
                },
            )
