"""What tests read of the documentation."""

import json
import re
from typing import Any

from lambda_packages import ROOT

CHECKS_PAGE = ROOT / "docs" / "deploy-check.md"


def documented_policy() -> dict[str, Any]:
    """The IAM policy that `docs/deploy-check.md` gives to whoever runs the checks; a new copy each time."""
    [text] = re.findall(r"```json\n(.*?)```", CHECKS_PAGE.read_text(encoding="utf-8"), re.DOTALL)
    policy: dict[str, Any] = json.loads(text)
    return policy
