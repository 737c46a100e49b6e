"""What a caller of the embedded AWS can decide upon; every message ends with the next step."""

from topology.errors import ExplainedError


class EmulatorError(ExplainedError):
    """Anything the embedded AWS refuses or fails at; one line, fit to be shown to a person."""


class AlreadyRunningError(EmulatorError):
    """Another emulator holds this run folder: attach to it or stop it."""


class StackBusyError(EmulatorError):
    """Another process is changing the stack in this run folder: run it again when that one is done."""


class NotRunningError(EmulatorError):
    """No emulator runs in this run folder: start one."""


class PortInUseError(EmulatorError):
    """A fixed port is taken by another program: stop that program or choose another port."""


class StartFailedError(EmulatorError):
    """The emulator did not become healthy; the message carries the tail of the log."""


class RefusedError(EmulatorError):
    """The request makes no sense for the emulator's layout or the region's state; nothing was changed."""
