"""What Claude and Slack share in HTTP."""

import math


def retry_after_of(header: str | None) -> float | None:
    """The seconds of a Retry-After header; None where it is absent or no number (neither sends dates)."""
    try:
        seconds = float(header) if header is not None else -1.0
    except ValueError:
        return None
    return seconds if seconds >= 0 and math.isfinite(seconds) else None
