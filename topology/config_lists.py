"""Lists of mappings in a stack's configuration, such as its routes: what all of them have in common."""

import json
from collections.abc import Sequence
from typing import Final

SHOWN_CHARS: Final = 50
"""Of a value or a field's name that is wrong."""


def decoded_list(raw: object) -> object:
    """The list of a value or of its JSON text, as Pulumi hands it over; what is no list comes as it is."""
    try:
        given = json.loads(raw) if isinstance(raw, str) and raw else raw
    except ValueError:
        return raw
    return [] if given is None or given == "" else given


def refusal(place: str, value: object, allowed: str) -> str:
    """The problem that `value` is not allowed at `place`."""
    return f"{place}: {str(value)[:SHOWN_CHARS]!r} is not allowed; allowed: {allowed}"


def repeated_names(key: str, names: Sequence[str]) -> list[str]:
    """A problem for each name that more than one of the list has; an empty one is none."""
    twice = dict.fromkeys(name for index, name in enumerate(names) if name and name in names[:index])
    return [f"{key}: {name!r} is there twice; allowed: each name once" for name in twice]
