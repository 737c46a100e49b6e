"""How severe an alert may be, the most urgent first; the ledger's lanes go by it."""

from typing import Final

SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFO")
