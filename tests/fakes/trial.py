"""A trial's deployer whose stack is recorded answers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from clients.deployment import Deployment
from components.ledger_home import REFUSAL
from deploy.trial.deployer import Changes
from tests.fakes.recorded_aws import RecordedAws, recorded_deployment
from topology.protection import IRREPLACEABLE


@dataclass
class FakeDeployer:
    """`Deployer` that does as told. `ups` come one by one, the last again; `removing` runs at the end."""

    aws: RecordedAws
    embedded: bool = False
    where: str = "AWS"
    ups: list[Changes | Exception] = field(default_factory=lambda: [Changes(created=278), Changes()])
    refuses: str = REFUSAL
    kept: str = "no secret"
    bare: set[str] = field(default_factory=set)
    removing: Callable[[], None] = lambda: None
    removed: int = 0
    configs: list[Mapping[str, str]] = field(default_factory=list)

    def up(self, config: Mapping[str, str], *, within_s: float) -> Changes:
        """See `Deployer`."""
        assert within_s > 0
        self.configs.append(config)
        done = self.ups.pop(0) if len(self.ups) > 1 else self.ups[0]
        if isinstance(done, Exception):
            raise done
        return done

    def deployment(self) -> Deployment:
        """See `Deployer`."""
        return recorded_deployment(self.aws, stack="trial")

    def refusal(self, config: Mapping[str, str], *, within_s: float) -> str:
        """See `Deployer`."""
        assert config
        assert within_s > 0
        return self.refuses

    def state(self) -> str:
        """See `Deployer`."""
        return self.kept

    def protected(self) -> Mapping[str, bool]:
        """See `Deployer`."""
        return {type_: type_ not in self.bare for type_ in IRREPLACEABLE}

    def remove(self, *, within_s: float) -> None:
        """See `Deployer`."""
        assert within_s > 0
        self.removed += 1
        self.removing()
