"""The metrics of our own that alarms watch."""

from typing import Final

NAMESPACE: Final = "McpIncidentResponder"
PARKED_ALERTS: Final = "ParkedAlerts"
"""How many alerts are PARKED for the region to see to, once a minute, by Recovery.

`handlers.adapters.metrics` writes it (a test compares)."""

EXPORT_AGE: Final = "ExportAgeS"
"""Seconds from the end of what an incremental export holds until it was COMPLETED; each hour's state machine
(`components.state_machines`) writes it, and only for a good one."""

STACK_DIMENSION: Final = "Stack"
PERIOD_S: Final = 60
