"""Bugs in incidents: who is held, what is told of them, and when they are over."""

from contextlib import suppress
from typing import Any, Final

from msgspec.structs import replace

from handlers.domain.alert import Alert
from handlers.domain.delivery import analysis, incidents, outcomes
from handlers.domain.delivery.digests import Group, digest_of
from handlers.domain.delivery.distribution import DistributionWork
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.incident import IncidentView, Place
from handlers.domain.ports import NotifierError
from handlers.domain.states import analyzed, deferred, notified, rerouted
from simulator.mutants.mutant import mutant
from topology.alerts import FaultState, Severity

_fired = Incidents.fired
_place = Incidents.place
_view = Incidents.view
_placed: list[Alert] = []


def _strays(self: Incidents, alert: Alert) -> Alert | None:
    """Whatever fired last is what a resolution resolves."""
    fired = _fired(self, alert)
    others = [one for one in _placed if one.region == alert.region and one.fault_key != alert.fault_key]
    stored = self.ledger.get(others[-1].alert_id) if fired and others else None
    return stored if stored and stored.incident_id else fired


def _remembered(self: Incidents, alert: Alert, **of: Any) -> Place:
    if alert.state is FaultState.FIRING:
        _placed.append(alert)
        del _placed[:-20]
    return _place(self, alert, **of)


def _stays_open(_self: Incidents, _alert: Alert) -> None:
    """What comes after the last resolution is told as more of the same."""


def _flushed_first(self: DistributionWork, claimed: Any, deadline: Any, **_: Any) -> None:
    """The members of a digest are NOTIFIED, and then it is posted."""
    members = self.leases.still_mine(claimed)
    digest = digest_of([Group(alerts=tuple(members))])
    for alert in members:
        after = notified(alert, at_ms=self.leases.clock.now_ms(), digest_id=digest.digest_id)
        self.leases.write(alert, after, until_ms=deadline.hard_ms)
    with suppress(NotifierError):
        self.channels.of(members[0].route).notifier.post(digest, timeout_s=5)


def _held_for_long(alert: Alert, outcome: Any, **changes: Any) -> Alert:
    """Recovery does not find what is held, in time."""
    held = changes.get("not_before") is not None
    return analyzed(alert, outcome, **{**changes, "due_at": changes["due_at"] + 10**8 * held})


def _one_more(self: Incidents, told: Any, rows: Any) -> IncidentView:
    """People are told of one that there is not."""
    view = _view(self, told, rows)
    return replace(view, count=view.count + 1)


def _only_these(self: Incidents, told: Any, rows: Any) -> IncidentView:
    """An edit tells of those that are new to it, and no more of those before."""
    return replace(_view(self, told, rows), count=len(told))


def _asks(self: Incidents, alert: Alert, **of: Any) -> Place:
    """Each alert of an incident has the model asked."""
    return replace(_place(self, alert, **of), asks=True)


def _by_its_own(self: Incidents, alert: Alert, **of: Any) -> Place:
    """A resolution goes where it matches, not where its alert went."""
    return replace(_place(self, alert, **of), route=of["route_of"](alert))


def _routeless(alert: Alert, **changes: Any) -> Alert:
    """What comes again goes to the default channel."""
    return deferred(replace(alert, route=None), **changes)


def _unsaid(alert: Alert, **changes: Any) -> Alert:
    """Nobody hears that a route leads nowhere."""
    return replace(rerouted(alert, **changes), unusable_route=None)


MUTANTS: Final = (
    mutant(
        "severity-folded",
        "an alert is held below one that is less severe",
        (incidents, "URGENCY", dict.fromkeys(Severity, 0)),
    ),
    mutant(
        "resolution-strays",
        "a resolution joins the incident of another fault",
        (Incidents, "place", _remembered),
        (Incidents, "fired", _strays),
    ),
    mutant(
        "resolution-closes-all",
        "a resolution closes its incident while other faults fire",
        (incidents, "_resolved", lambda _states: True),
    ),
    mutant("closed-goes-on", "a closed incident takes new alerts", (Incidents, "close", _stays_open)),
    mutant(
        "flush-recorded-first",
        "what is held is NOTIFIED before its digest is posted",
        (DistributionWork, "_digest", _flushed_first),
    ),
    mutant("held-for-good", "Recovery does not find what is held", (analysis, "analyzed", _held_for_long)),
    mutant("incident-miscounts", "an incident has one alert too many", (Incidents, "view", _one_more)),
    mutant("edit-replaces", "an edit takes back what was said", (Incidents, "view", _only_these)),
    mutant("asks-for-each", "the model is asked for each alert", (Incidents, "place", _asks)),
    mutant("route-by-itself", "a resolution goes by its own match", (Incidents, "place", _by_its_own)),
    mutant("route-forgotten", "what comes again has no route", (outcomes, "deferred", _routeless)),
    mutant("reroute-unsaid", "a row forgets its unusable route", (outcomes, "rerouted", _unsaid)),
)
