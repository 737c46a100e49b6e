"""The Lambda packages: which of our files each function needs, and the zip made of them."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
"""The checkout that packages are made of; the Pulumi program lies in it too."""
