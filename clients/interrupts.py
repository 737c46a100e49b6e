"""What ends a command from outside: told to stop, or left by a terminal that is gone, it puts things back.

Operators' commands, drills and experiments use it, so that only SIGKILL leaves what they broke as it is.
"""

import contextlib
import os
import signal
import stat
from collections.abc import Callable
from types import FrameType
from typing import Any, Final, NoReturn

INTERRUPTED_CODE: Final = 130
"""The exit code of what was interrupted, and has put everything back: a shell's, for Ctrl-C."""

Handler = Callable[[int, FrameType | None], object]


def interrupt_on_ending() -> None:
    """Have SIGTERM and SIGHUP raise KeyboardInterrupt, as Ctrl-C does. From the main thread only.

    A second SIGTERM is passed over, as `timeout` sends one to the process and one to its group: it would end
    what puts things back. Ctrl-C ends that too.
    """
    handle_endings(_interrupt)


def handle_endings(handler: Handler, *, ctrl_c: bool = False) -> dict[signal.Signals, Any]:
    """Have `handler` called at SIGTERM and SIGHUP, and at Ctrl-C if wanted; return what was called before.

    SIGHUP comes when an SSH session drops: what is printed afterwards goes nowhere, since a write to a lost
    terminal fails, and a second one, of the shell after the kernel's, is passed over. Under `nohup` it stays
    ignored. From the main thread only.
    """

    def hung_up(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGHUP, _pass_over)
        leave_terminal()
        handler(number, frame)

    handlers: dict[signal.Signals, Handler] = {signal.SIGTERM: handler, signal.SIGHUP: hung_up}
    if ctrl_c:
        handlers[signal.SIGINT] = handler
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        del handlers[signal.SIGHUP]
    return {number: signal.signal(number, one) for number, one in handlers.items()}


def leave_terminal() -> None:
    """Have stdout and stderr write nowhere, unless they are files: nobody is behind a terminal or pipe."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        with contextlib.suppress(OSError):  # one that is closed
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.dup2(nowhere, descriptor)
    os.close(nowhere)


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, _pass_over)
    raise KeyboardInterrupt


def _pass_over(_number: int, _frame: FrameType | None) -> None:
    """A handler, unlike SIG_IGN, is not inherited by what is started while things are put back."""
