"""The refusal of a request: the one error that a sender can correct."""


class RefusedError(Exception):
    """The request is wrong, nothing was written. `hint`: what to do; `field`: where; `http_status`: a 4xx."""

    def __init__(self, http_status: int, code: str, *, hint: str, field: str | None = None) -> None:
        """`code` is for programs, `hint` for people."""
        super().__init__(f"{code}: {hint}" + (f" (at {field})" if field else ""))
        self.http_status = http_status
        self.code = code
        self.hint = hint
        self.field = field
