"""One archive of all that a diagnosis saw, for whoever helps from afar; secrets are taken out of it."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clients.output_files import written_at_end
from handlers.domain.redaction import redacted
from runbook.diagnosis.evidence import Scene
from runbook.redaction import without_secrets


def write_bundle(file: Path, scene: Scene, report: Mapping[str, Any]) -> None:
    """Write the report, what the stack is, and the warnings and errors of each function, as a zip file.

    Every text is redacted as what goes to Slack and to the model is; no secret is read for it.

    Raises:
        UnwritableError: the file cannot be written.
    """
    deployment = scene.subject.deployment
    stack = {
        "stack": deployment.names.stack,
        "ledger_consistency": deployment.ledger_consistency,
        "regions": {one.region: {"role": one.role, "webhook": one.webhook_url} for one in deployment.regions},
        "since_ms": scene.since_ms,
        "looked_at_ms": scene.now_ms,
    }
    with written_at_end(file) as draft:
        assert draft is not None  # noqa: S101 - there is one where a file is named
        with zipfile.ZipFile(draft, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("diagnosis.json", json.dumps(without_secrets(report), indent=2))
            archive.writestr("stack.json", json.dumps(without_secrets(stack), indent=2))
            for (region, function), lines in sorted(scene.lines.items()):
                text = "".join(f"{line.at_ms} {redacted(line.text)}\n" for line in lines)
                archive.writestr(f"logs/{region}/{function}.log", text)
