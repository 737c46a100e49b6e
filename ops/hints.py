"""Commands that a message tells people to type, made to act on the stack that the message is about.

What is below the command line names `responder dr status` without knowing by which option the stack was
chosen. Whoever opens a stack says so here, and whoever prints a message has its commands completed.
"""

import re
from contextvars import ContextVar
from typing import Final

_LOCAL: Final = "local (?:up|pulumi|status|replay|break|start|down)|dr drill"
_GROUPS: Final = "parked|health|alerts|silence|heartbeats|cache|secrets|maintenance|logs|dlq|queue|dr"
_ANY: Final = (
    rf"audit|why|dashboard|contacts|diagnose(?: slack)?|deploy check|(?:{_GROUPS}) [a-z]+|connect [a-z-]+"
)
_COMMAND: Final = re.compile(rf"`responder (?:(?P<local>{_LOCAL})|(?:{_ANY}))\b[^`]*`")
"""Of these, the `local` ones take no `--outputs`: there is nothing but the local stack for them."""

_CHOOSES: Final = ("--run-dir", "--outputs", "--stack", "--bucket")

_option: ContextVar[str] = ContextVar("option", default="")


def act_on(option: str) -> None:
    """Note the option by which the stack was chosen, as `--run-dir FOLDER`; empty for the usual stack."""
    _option.set(option)


def hinted(text: str) -> str:
    """The text, each command in it with the option by which it acts on the same stack."""
    option = _option.get()

    def completed(found: re.Match[str]) -> str:
        command = found[0]
        chosen = any(word in command for word in _CHOOSES)
        if not option or chosen or (found["local"] and not option.startswith("--run-dir")):
            return command
        words, dashes, others = command[:-1].partition(" -- ")  # what is after them is the Pulumi CLI's
        return f"{words} {option}{dashes}{others}`"

    return _COMMAND.sub(completed, text)
