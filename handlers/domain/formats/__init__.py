"""The formats of alert bodies. Adding one is adding a module here with a `FORMAT`; nothing else changes.

`FORMATS` holds them in the order in which they are asked, those marked `last_resort` after all others. They
are loaded at the end of this module, since they import the rest of it.
"""

import pkgutil
from collections.abc import Sequence
from importlib import import_module
from typing import Any, Final, Protocol

from handlers.domain.alert import IncomingAlert

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


Member = IncomingAlert | RefusedError
"""A member of a body: an alert, or why it cannot be taken."""


class Format(Protocol):
    """One format. A body is a decoded JSON object, free of NUL and lone surrogates, at most 32 deep."""

    name: str
    last_resort: bool
    """Whether its mark is so common that every other format is asked first."""

    def recognises(self, body: dict[str, Any]) -> bool:
        """Whether the body is meant to be of this format, correct or not. Never raises."""

    def parse(self, body: dict[str, Any]) -> Sequence[Member]:
        """Its members, in the body's order.

        Raises:
            msgspec.ValidationError: a field of the whole is missing or of the wrong type.
            RefusedError: nothing of it can be taken.
        """


def _discovered() -> tuple[Format, ...]:
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    formats: list[Format] = [import_module(f"{__name__}.{name}").FORMAT for name in modules]
    return tuple(sorted(formats, key=lambda f: f.last_resort))


FORMATS: Final = _discovered()
