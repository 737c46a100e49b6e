"""The Pulumi program: config in, the shared data and one `Region` per region, outputs out.

Run by the Pulumi CLI, by the in-process provider of the embedded AWS, and by the component tests.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pulumi

from components.account import checked_account
from components.backups.across_regions import Backups
from components.dashboard import Dashboard
from components.global_data import GlobalData
from components.ledger_home import keep_ledger_home
from components.region import Region
from components.region_context import RegionContext
from components.routing import Routing
from components.stack_config import configuration_to_keep, load_stack_config, run_by_cli
from components.stack_record import StackRecord
from lambda_packages import ROOT
from lambda_packages.build import Target, build_packages, packages_in, target_of
from topology.config import StackConfig
from topology.errors import ExplainedError
from topology.functions import FunctionSpec
from topology.names import LOCAL_STACK
from topology.outputs import RECORDS_FOLDER
from topology.regions import FAILOVER, PRIMARY, ROLES, Role

Packages = Mapping[FunctionSpec, Path]


def _build(target: Target) -> Packages:
    def tell(spec: FunctionSpec, target: Target) -> None:
        pulumi.log.info(f"building the package of {spec.suffix} for {target.name}")

    return build_packages(target, on_build=tell)


def main(build: Callable[[Target], Packages] = _build, *, keep_in: Path | None = None) -> None:
    """Register the stack. `build` makes the Lambda packages for what the stack runs on.

    `keep_in`: the folder where a file tells commands of this machine where a stack on AWS is.

    Raises:
        pulumi.RunError: the configuration or the account is wrong, a package cannot be built, or the ledger
            would move; every problem is in the message. At most the record of the ledger's place was made.
    """
    try:
        config = load_stack_config()
        account_id = checked_account(config)
        ledger_home = keep_ledger_home(config, account_id)
        kept = config.packages_from
        packages = packages_in(Path(kept)) if kept else build(target_of(config.stack))
    except ExplainedError as error:
        raise pulumi.RunError(str(error)) from error
    record = _register(config, account_id, packages, ledger_home)
    if keep_in is not None and config.stack != LOCAL_STACK:
        record.keep(keep_in)


def _register(
    config: StackConfig, account_id: str, packages: Packages, ledger_home: pulumi.Resource
) -> StackRecord:
    data = GlobalData("data", config=config, after=ledger_home)
    outputs = dict(data.outputs)
    regions: dict[Role, Region] = {}
    for role in ROLES:
        context = RegionContext(config=config, role=role, account_id=account_id)
        # A source that posts to a name which fails over cannot change its key with it.
        shared = regions[PRIMARY].webhook.api_key if config.domain and role == FAILOVER else None
        regions[role] = Region(context, data=data, packages=packages, api_key=shared)
        outputs |= regions[role].outputs
    if config.domain:
        routing = Routing(primary=regions[PRIMARY].webhook, failover=regions[FAILOVER].webhook)
        outputs |= routing.outputs
    Dashboard(config)
    record = StackRecord(config.stack, configuration_to_keep(), outputs, packages)
    Backups(primary=regions[PRIMARY], failover=regions[FAILOVER], record=record)
    for key, value in outputs.items():
        pulumi.export(key, value)
    return record


if __name__ == "__main__":
    main(keep_in=ROOT / RECORDS_FOLDER if run_by_cli() else None)
