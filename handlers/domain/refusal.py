"""The one error of intake: what a sender handed over cannot be taken, and what to do about it."""

from typing import Final

UNKNOWN_FORMAT: Final = "unknown"
"""Of a body that is refused before it is known what it is."""


class RefusedError(Exception):
    """The request is wrong, nothing was written. `hint`: what to do; `field`: where; `http_status`: a 4xx.

    `part`: the JSON text of the member that is refused, if it is one of a group. `body_format`: what the body
    was known as.
    """

    def __init__(
        self,
        http_status: int,
        code: str,
        *,
        hint: str,
        field: str | None = None,
        part: str | None = None,
        body_format: str = UNKNOWN_FORMAT,
    ) -> None:
        """`code` is for programs, one of a closed set, since a metric counts by it; `hint` for people."""
        super().__init__(f"{code}: {hint}" + (f" (at {field})" if field else ""))
        self.http_status = http_status
        self.code = code
        self.hint = hint
        self.field = field
        self.part = part
        self.body_format = body_format
