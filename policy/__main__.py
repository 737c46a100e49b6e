"""What Pulumi runs for `--policy-pack policy`: serves the pack to the engine until that stops it."""

import sys
from pathlib import Path

# The engine starts it in this folder; `pulumi install` puts the dependencies into the environment, not us.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from policy.pack import serve

serve()
