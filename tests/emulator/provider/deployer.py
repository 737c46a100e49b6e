"""Deploys the programs that a test writes, by the real Pulumi SDK, to a running emulator."""

import json
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from emulator.client import Emulator
from emulator.pulumi.deploy import DeployResult, down, up
from emulator.pulumi.engine import Progress


@dataclass
class Deployer:
    """One state and one program, which a test may change between two runs."""

    emulator: Emulator
    folder: Path
    project_dir: Path
    progress: list[Progress] = field(default_factory=list)

    @property
    def state_path(self) -> Path:
        """Where the state is kept."""
        return self.folder / "state.json"

    def write(self, program: str, *, config: Mapping[str, object] | None = None) -> None:
        """Write a program; `config` is the stack's."""
        (self.project_dir / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        (self.project_dir / "Pulumi.local.yaml").write_text(json.dumps({"config": config or {}}))
        header = "import json\nimport pulumi\nimport pulumi_aws as aws\n"
        (self.project_dir / "__main__.py").write_text(header + textwrap.dedent(program))

    def up(
        self,
        program: str | None = None,
        *,
        instance_id: str | None = None,
        stack: str = "local",
        config: Mapping[str, str] = MappingProxyType({}),
    ) -> DeployResult:
        """Deploy `program`, or again what was written last, with `config` before the stack's own."""
        if program is not None:
            self.write(program)
        return up(
            stack=stack,
            edge_url=self.emulator.edge_url,
            webhook_base_urls={r: self.emulator.webhook_base_url(r) for r in self.emulator.regions},
            state_path=self.state_path,
            project_dir=self.project_dir,
            instance_id=instance_id or self.emulator.instance_id,
            config=config,
            on_progress=self.progress.append,
        )

    def down(self, *, instance_id: str | None = None) -> DeployResult:
        """Delete what the state lists."""
        return down(
            stack="local",
            edge_url=self.emulator.edge_url,
            state_path=self.state_path,
            instance_id=instance_id or self.emulator.instance_id,
        )
