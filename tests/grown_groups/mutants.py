"""Real bodies of every format and members of them, mutated: a few changes, each to any value in it."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from random import Random
from typing import Any, Final

from tests.grown_groups.spoilers import NO_TEXTS, NUMBERS, ODD_TEXTS, any_value, encoded

_HERE: Final = "put-here-what-no-encoder-writes"
_MAX_CHANGES: Final = 4
_MAX_PLACES: Final = 3_000

Place = tuple[Any, Any]
"""An object or a list, and the name or index of a value in it."""


def mutated(random: Random, real: Any, others: Sequence[Any]) -> bytes:
    """JSON of a body or a member, with a few changes; some values are none that an encoder would write."""
    body = deepcopy(real)
    value = None
    for _ in range(random.randint(1, _MAX_CHANGES)):
        places = list(_places(body))
        if not places:
            break
        value = _change(random, *random.choice(places), others) or value
    return encoded(body) if value is None else encoded(body).replace(encoded(_HERE), value)


def _change(random: Random, inside: Any, name: Any, others: Sequence[Any]) -> bytes | None:
    """Change one value; what stands for `_HERE` in the bytes, if that is what it became."""
    match random.choice(("gone", "kind", "text", "bytes", "moved", "renamed", "other", "nested", "twice")):
        case "gone":
            del inside[name]
        case "kind":
            inside[name] = deepcopy(random.choice(NO_TEXTS))
        case "text":
            inside[name] = random.choice((*ODD_TEXTS, *NUMBERS[:4], "null", "x" * 20_000, "{{ .id }}"))
        case "bytes":
            inside[name] = _HERE
            return any_value(random)
        case "moved" if isinstance(inside, dict):
            inside[random.choice(list(inside))] = deepcopy(inside[name])
        case "renamed" if isinstance(inside, dict):
            inside[str(name).swapcase()] = inside.pop(name)
        case "other":
            found = random.choice(list(_places(random.choice(others))) or [(inside, name)])
            inside[name] = deepcopy(found[0][found[1]])
        case "nested":
            inside[name] = {"value": inside[name]}
        case _:
            inside[name] = [inside[name], deepcopy(inside[name])]
    return None


def torn(random: Random, content: bytes) -> bytes:
    """Without its end, or with bytes that are none of JSON's in its middle."""
    at = random.randrange(len(content))
    if random.random() < 0.5:
        return content[:at]
    return content[:at] + random.choice((b"\xff", b"\0", b"}", b'"', b"\\", b"[")) + content[at:]


def _places(value: Any) -> Iterator[Place]:
    """Every value of a body, by where it is; of a large one the first."""
    waiting, found = [value], 0
    while waiting and found < _MAX_PLACES:
        inside = waiting.pop()
        names = inside if isinstance(inside, dict) else range(len(inside)) if isinstance(inside, list) else ()
        for name in names:
            found += 1
            yield inside, name
            waiting.append(inside[name])
