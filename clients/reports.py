"""JSON reports: what demos, storms, experiments and drills leave for scripts to read."""

import json
from pathlib import Path


def write_report(path: Path, content: object) -> None:
    """Write `content` as JSON, whole or not at all, with its folder; what JSON has no form for as text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
    unfinished.replace(path)
