"""A release as the simulator takes it: modules that make and call its handlers, whatever they look like."""

from dataclasses import dataclass
from typing import Any, Final

from simulator import wiring

TODAY: Final = "today"
"""The name of the release that this tree is."""


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release. `wiring`: its `simulator.wiring`; `adapters`: its `simulator.releases.adapters`.

    Both are Any: no type checker can know what another release's are.
    """

    name: str
    wiring: Any
    adapters: Any = None


ALONE: Final = Release(name=TODAY, wiring=wiring)
"""Today's release where no other runs beside it, so its adapters are not used."""
