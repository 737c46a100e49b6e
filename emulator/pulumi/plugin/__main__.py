"""Serves the plugin until the engine that started it ends: prints its port, as the engine awaits it."""

import os
import sys

from emulator.pulumi.plugin.guard import Guard
from emulator.pulumi.plugin.server import Provider, serve

POLL_S = 1.0


def main() -> None:
    """Serve; the engine ends this process, and one whose engine was killed ends by itself."""
    engine = os.getppid()
    server, port = serve(Provider(lambda: Guard.of(os.environ)))
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while server.wait_for_termination(timeout=POLL_S) and os.getppid() == engine:
        pass
    server.stop(grace=None)


if __name__ == "__main__":
    main()
