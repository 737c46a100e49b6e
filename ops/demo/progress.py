"""One line that stays true while something long runs: redrawn on a terminal, now and then in a log."""

import time
from typing import Final

from rich.console import Console
from rich.status import Status

LOG_EVERY_S: Final = 5.0


class ProgressLine:
    """Shows the newest text. Off a terminal it prints a line each `LOG_EVERY_S` seconds."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self._console = console
        self._status: Status | None = None
        self._printed_at = 0.0

    def show(self, text: str) -> None:
        """Replace the line."""
        if self._console.is_terminal:
            if self._status is None:
                self._status = self._console.status(text)
                self._status.start()
            self._status.update(text)
        elif time.monotonic() - self._printed_at >= LOG_EVERY_S:
            self._printed_at = time.monotonic()
            self._console.print(f"  {text}")

    def close(self) -> None:
        """Take the line away."""
        if self._status is not None:
            self._status.stop()
