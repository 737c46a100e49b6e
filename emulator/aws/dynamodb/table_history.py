"""The writes to one table, so that it can be read as it was at a given time.

`point_in_time` keeps one for each table with point-in-time recovery; restores and exports read it.
Items are kept encoded: a write that changes an item in place cannot change the past, and it is a third of the
memory.
"""

import math
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

WRITES_MAX: Final = 50_000
"""About 50 MB of alerts. Beyond it the oldest writes are applied to the first state, which then is later."""

Item = dict[str, Any]
Key = tuple[str, str]
"""The values of an item's partition and sort key, as ministack keeps them."""


@dataclass(frozen=True)
class Change:
    """The effect of a window on one item, whatever happened to it in between.

    `before` and `after` are None where the item did not exist.
    """

    key: Key
    written_at_s: float
    keys: Item
    before: Item | None
    after: Item | None


@dataclass(frozen=True)
class _Write:
    at_s: float
    key: Key
    keys: bytes
    image: bytes | None


class History:
    """The writes to one table since a time. Used by several threads."""

    def __init__(self, items: Mapping[Key, Item], *, now_s: float) -> None:
        """Begin with the items as they are now."""
        self._begun_at_s = now_s
        self._first = {key: msgspec.json.encode(item) for key, item in items.items()}
        self._writes: deque[_Write] = deque()
        self._lock = threading.Lock()

    @property
    def earliest_s(self) -> int:
        """The first whole second that can be read; AWS's times of restores are whole seconds."""
        return math.ceil(self._begun_at_s)

    def note(self, key: Key, keys: Item, item: Item | None, *, now_s: float) -> None:
        """Record a write: `item` is the new item, None after a delete; `keys` its key attributes."""
        image = None if item is None else msgspec.json.encode(item)
        with self._lock:
            latest_s = self._writes[-1].at_s if self._writes else self._begun_at_s
            # A clock that is set back must not put an effect before its cause.
            self._writes.append(_Write(max(now_s, latest_s), key, msgspec.json.encode(keys), image))
            if len(self._writes) > WRITES_MAX:
                oldest = self._writes.popleft()
                _apply(self._first, oldest)
                self._begun_at_s = oldest.at_s

    def as_of(self, time_s: float) -> list[Item]:
        """The items at a time, in the order of their keys; a write at exactly that time is included."""
        with self._lock:
            images = self._images_before(math.nextafter(time_s, math.inf))
        return [msgspec.json.decode(images[key]) for key in sorted(images)]

    def between(self, from_s: float, to_s: float) -> Iterator[Change]:
        """The changes from `from_s` on and before `to_s`, one for each item, in the order of their keys."""
        with self._lock:
            before = self._images_before(from_s)
            last = {write.key: write for write in self._writes if from_s <= write.at_s < to_s}
        for key in sorted(last):
            write = last[key]
            keys = msgspec.json.decode(write.keys)
            yield Change(key, write.at_s, keys, _decoded(before.get(key)), _decoded(write.image))

    def _images_before(self, time_s: float) -> dict[Key, bytes]:
        images = dict(self._first)
        for write in self._writes:
            if write.at_s >= time_s:
                break
            _apply(images, write)
        return images


def _apply(images: dict[Key, bytes], write: _Write) -> None:
    if write.image is None:
        images.pop(write.key, None)
    else:
        images[write.key] = write.image


def _decoded(image: bytes | None) -> Item | None:
    return None if image is None else msgspec.json.decode(image)
