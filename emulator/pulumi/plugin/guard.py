"""What keeps the plugin to the embedded AWS, and to the stacks that it was started for.

The plugin is called `pulumi-resource-aws`, so whoever has it on PATH by accident would deploy to nowhere what
was meant for AWS, and a state of AWS's resources would be filled with what does not exist. So it works only
as `responder local pulumi` starts it, which says all of it in the environment.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urlsplit

from emulator.client import Emulator
from emulator.errors import RefusedError
from topology.names import LOCAL_STACK

EMULATOR: Final = "RESPONDER_EMULATOR"
"""The environment variable that names the edge of the embedded AWS, a URL on the loopback."""

RUN_DIR: Final = "RESPONDER_RUN_DIR"
"""The one that names the run folder of that embedded AWS."""

REHEARSAL: Final = "RESPONDER_REHEARSAL"
"""The one that names the stack, other than `local`, that is rehearsed."""

BACKEND: Final = "PULUMI_BACKEND_URL"
"""The Pulumi CLI's: where the state is kept. https://www.pulumi.com/docs/iac/cli/environment-variables/"""

_INSTEAD: Final = "`responder local pulumi -- ...` starts it as it has to be"


@dataclass(frozen=True)
class Guard:
    """The embedded AWS that may be used: its edge, and each region's address for webhooks.

    `rehearsed` is the stack besides `local` that may be made there, empty if there is none.
    """

    edge_url: str
    webhook_base_urls: Mapping[str, str]
    rehearsed: str = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Self:
        """Check the environment that the plugin was started with, and that its embedded AWS runs.

        Raises:
            RefusedError: a variable is missing or names something else than an embedded AWS of this machine.
            EmulatorError: that embedded AWS does not run.
        """
        url, run_dir = environment.get(EMULATOR, ""), Path(environment.get(RUN_DIR, "/nowhere"))
        if not is_loopback(url):
            raise RefusedError(
                f"this pulumi-resource-aws serves the embedded AWS only, and {EMULATOR} "
                + (f"is {url!r}, which is not on this machine" if url else "is not set")
                + f"; {_INSTEAD}; to deploy to AWS, take this plugin off PATH"
            )
        emulator = Emulator.attach(run_dir)
        if emulator.edge_url != url:
            raise RefusedError(
                f"{EMULATOR} is {url}, but the embedded AWS in {run_dir} is {emulator.edge_url}; {_INSTEAD}"
            )
        emulator.status()
        rehearsed, backend = environment.get(REHEARSAL, ""), environment.get(BACKEND, "")
        if rehearsed and not _is_within(backend, run_dir):
            raise RefusedError(
                f"a rehearsal of {rehearsed} needs a state of its own in {run_dir}, and {BACKEND} is "
                f"{backend or 'not set'}; {_INSTEAD}"
            )
        urls = {region: emulator.webhook_base_url(region) for region in emulator.regions}
        return cls(url, urls, rehearsed)

    def check(self, urn: str) -> None:
        """Let through what belongs to a stack that may be made here: `urn:pulumi:<stack>::...`.

        Raises:
            RefusedError: it is another stack's.
        """
        stack = urn.partition("::")[0].rpartition(":")[2]
        if stack not in {LOCAL_STACK, self.rehearsed or LOCAL_STACK}:
            raise RefusedError(
                f"stack {stack} is not for the embedded AWS; to rehearse it there: "
                f"`responder local pulumi --rehearsal -- up -s {stack}`"
            )


def is_loopback(url: str) -> bool:
    """Whether a URL's host is an address of this machine's loopback."""
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False


def _is_within(backend: str, run_dir: Path) -> bool:
    parts = urlsplit(backend)
    return parts.scheme == "file" and Path(unquote(parts.path)).resolve().is_relative_to(run_dir.resolve())
