"""What of the model's answer is shown: not what only an attacker can want of it.

The answer is as untrusted as the alert that it is about: whoever writes alerts may have told the model what
to say. So no address that the alert's own links do not have, and nothing of what the model was told by us.
"""

import re
from collections.abc import Collection
from functools import cache
from typing import Final

from handlers.domain.delivery.prompt import SYSTEM

LINK_LEFT_OUT: Final = "[link left out]"
INSTRUCTIONS_LEFT_OUT: Final = "[left out: it repeats what the model was told]"

_ADDRESS: Final = (
    r"(?i)(?<![a-z0-9])(?:(?:[a-z][a-z0-9+.\-]{1,20}:)?//[\w\[%][^\s\"'<>`]*|www\.[^\s\"'<>`]+"
    r"|(?:javascript|data|vbscript|file|mailto|tel|sms|slack):[^\s\"'<>`]+)"
)
"""As a program opens one, or as a browser completes it. Not a host and path alone: so are resources named."""

_REPEATED_WORDS: Final = 8
"""In a row, which nobody comes to write by chance."""


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile(_ADDRESS)


def shown_answer(text: str, *, links: Collection[str]) -> str:
    """`text` without foreign addresses and without our own instructions; each says what stood there."""
    if not _told().isdisjoint(_runs_of(text)):
        return INSTRUCTIONS_LEFT_OUT
    return _pattern().sub(
        lambda found: found[0] if found[0].rstrip(".,;:!?)]") in links else LINK_LEFT_OUT, text
    )


@cache
def _told() -> frozenset[tuple[str, ...]]:
    return frozenset(_runs_of(SYSTEM))


def _runs_of(text: str) -> list[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return [tuple(words[at : at + _REPEATED_WORDS]) for at in range(len(words) - _REPEATED_WORDS + 1)]
