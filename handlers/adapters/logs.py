"""Logs as JSON lines on standard error, where Lambda and people's queries find them.

The message is one of a few fixed texts (`Using cached analysis`, `Claude analysis`, ...); what varies is in
fields. No secrets are logged, and of bodies only a sample of what was refused: what failures say, and their
tracebacks, may quote what somebody sent, so all text of a warning is redacted.
"""

import logging
import sys
from typing import Any

from pythonjsonlogger.json import JsonFormatter


class _Formatter(JsonFormatter):
    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """See `BaseJsonFormatter`. What goes well is logged by ids and fixed words: it is left as it is."""
        if log_data.get("level") == "INFO" and "reason" not in log_data:
            return log_data
        from handlers.domain.redaction import redacted  # noqa: PLC0415 - most invocations warn of nothing

        return {
            name: redacted(value) if isinstance(value, str) else value for name, value in log_data.items()
        }


def configure(*, function: str, region: str) -> None:
    """Send our logs from INFO on, all others from WARNING on, to standard error; once per cold start."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(
        _Formatter(
            "%(levelname)s %(name)s %(message)s",
            timestamp=True,
            rename_fields={"levelname": "level", "name": "logger"},
            static_fields={"function": function, "region": region},
        )
    )
    root = logging.getLogger()
    # Lambda's runtime has put a handler of its own there, which would print every line twice.
    root.handlers[:] = [stream]
    root.setLevel(logging.WARNING)
    logging.getLogger("handlers").setLevel(logging.INFO)
