"""Logs as JSON lines on standard error, where Lambda and people's queries find them.

The message is one of a few fixed texts (`Using cached analysis`, `Claude analysis`, ...); what varies is in
fields. No secrets are logged, and of bodies only a sample of what was refused, without its secrets.
"""

import logging
import sys

from pythonjsonlogger.json import JsonFormatter


def configure(*, function: str, region: str) -> None:
    """Send our logs from INFO on, all others from WARNING on, to standard error; once per cold start."""
    stream = logging.StreamHandler(sys.stderr)
    stream.setFormatter(
        JsonFormatter(
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
