"""The alerts table where releases are mixed: its rows are items, read by today's adapter for the checker."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
from msgspec import structs

from handlers.adapters.aws.items import serialize
from handlers.domain.alert import Alert
from simulator.ledger import Store, differences
from simulator.releases.release import Release
from simulator.world import World

Item = Mapping[str, Any]
"""Attributes as DynamoDB has them: `{"due_at": {"N": "7"}}`."""


class ItemRow(Alert, frozen=True, kw_only=True):
    """An item as today's release reads it."""

    item: Item

    @classmethod
    def of(cls, item: Item, alert: Alert) -> "ItemRow":
        """`alert` with the `item` that it was read from, which may hold more than today's release knows."""
        return cls(**structs.asdict(alert), item=item)


class UnreadableError(Exception):
    """A release cannot read what another has written."""


@dataclass(frozen=True)
class _OneItem:
    """A client of DynamoDB where every key leads to one item: an adapter reads it as it reads any."""

    item: Item

    def get_item(self, **_request: Any) -> Mapping[str, Any]:
        return {"Item": self.item}


class ItemStore(Store):
    """The alerts table, read and written by several releases.

    Whatever is written, every release must be able to read: also one that never meets it in this run.
    """

    def __init__(self, world: World, releases: Sequence[Release]) -> None:
        """Empty. `releases`: today's, then the others."""
        super().__init__(world)
        self._today = releases[0]
        self._releases = releases

    def row_of(self, item: Item, *, writer: str) -> ItemRow:
        """An item that `writer` writes, as a row.

        Raises:
            UnreadableError: a release cannot read it; the checker knows.
        """
        alert_id = str(item["alert_id"]["S"])
        alerts = [
            self._read(release, release.adapters.ledger(_OneItem(item)).get, alert_id, writer=writer)
            for release in self._releases
        ]
        return ItemRow.of(item, alerts[0])

    def check_record(self, item: Item, *, writer: str) -> None:
        """Check that every release can read a coordination record.

        Raises:
            UnreadableError: one cannot; the checker knows.
        """
        name = str(item["name"]["S"])
        for release in self._releases:
            self._read(release, release.adapters.coordination(_OneItem(item)).read, name, writer=writer)

    def check_cache_entry(self, item: Item, *, writer: str) -> None:
        """Check that every release can read an entry of the analysis cache.

        Raises:
            UnreadableError: one cannot; the checker knows.
        """
        signature = str(item["error_signature"]["S"])
        for release in self._releases:
            get = partial(release.adapters.cache(_OneItem(item)).get, now_s=0)
            self._read(release, get, signature, writer=writer)

    def replaced(self, stored: Alert | None, before: Alert, after: Alert) -> Alert | None:
        """See `Store`: an operator's write, by today's code."""
        if not isinstance(stored, ItemRow) or super().replaced(stored, before, after) is None:
            return None
        item = dict(stored.item)
        for name, value in differences(before, after).items():
            item[name] = serialize(msgspec.to_builtins(value))
            if value is None:
                del item[name]
        return self.row_of(item, writer="operator")

    def _read(self, release: Release, read: Callable[[str], Any], key: str, *, writer: str) -> Any:
        """What a release's adapter reads: its error, or nothing, means that it cannot read what is there."""
        try:
            value, why = read(key), "it finds nothing"
        except Exception as error:  # noqa: BLE001 - another release's own, which have no name here
            value, why = None, f"{type(error).__name__}: {error}"
        if value is None:
            text = f"{writer} wrote {key}, which release {release.name} cannot read: {why}"
            self.world.checker.broken("unreadable", text)
            raise UnreadableError(text)
        return value
