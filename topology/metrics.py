"""The metric of our own that an alarm watches; `handlers.adapters.metrics` writes it (a test compares)."""

from typing import Final

NAMESPACE: Final = "McpIncidentResponder"
PARKED_ALERTS: Final = "ParkedAlerts"
"""How many alerts are PARKED for the region to see to, once a minute, by Recovery."""

STACK_DIMENSION: Final = "Stack"
PERIOD_S: Final = 60
