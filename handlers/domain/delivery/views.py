"""What a message may tell of the incidents of its alerts; nothing where the ledger does not answer.

Distribution asks: people are told all the same.
"""

import logging
from collections.abc import Sequence

import msgspec

from handlers.domain.alert import Alert
from handlers.domain.delivery.gathering import by_incident
from handlers.domain.delivery.incidents import Incidents
from handlers.domain.incident import IncidentView
from handlers.domain.ports import Executor, IncidentRow, LedgerUnavailableError

_log = logging.getLogger(__name__)


class Views(msgspec.Struct, frozen=True, kw_only=True):
    """Reads what is known of incidents."""

    incidents: Incidents
    executor: Executor

    def rows(self, alert: Alert) -> Sequence[IncidentRow]:
        """The rows of its incident; none where they are unknown."""
        if alert.incident_id is None:
            return ()
        try:
            return self.incidents.rows(alert.incident_id)
        except LedgerUnavailableError:
            _log.warning("Its incident is unknown", extra={"alert_id": alert.alert_id}, exc_info=True)
            return ()

    def of(self, alerts: Sequence[Alert], rows: Sequence[IncidentRow]) -> IncidentView | None:
        """What is known of the incident of `alerts`, if there is more in it than one alert."""
        ids = {row.alert_id for row in rows} | {alert.alert_id for alert in alerts}
        if len(ids) < 2:  # noqa: PLR2004 - one says it all itself
            return None
        try:
            return self.incidents.view(alerts, rows)
        except LedgerUnavailableError:
            _log.warning("Its incident is unknown", extra={"alert_id": alerts[0].alert_id}, exc_info=True)
            return None

    def of_each(self, alerts: Sequence[Alert], rows: Sequence[IncidentRow]) -> dict[str, IncidentView]:
        """What is known of each incident; of many of them only where no analysis is at hand.

        `rows` are those of the first one's incident, which need not be read again.
        """
        incidents = by_incident(alerts)
        asked = [
            part
            for part in incidents
            if part[0].incident_id and (len(incidents) == 1 or not any(alert.analysis for alert in part))
        ]
        views = self.executor.map(
            lambda part: self.of(part, rows if part is incidents[0] else self.rows(part[0])), asked
        )
        return {view.incident_id: view for view in views if isinstance(view, IncidentView)}
