"""The Pulumi program: config in, the shared data and one `Region` per region, outputs out.

Run by the Pulumi CLI, by the in-process provider of the embedded AWS, and by the component tests.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import pulumi
import pulumi_aws as aws

from components.global_data import GlobalData
from components.packages import PackageError, Target, build_packages, target_of
from components.region import Region
from components.site import Site
from components.stack_config import load_stack_config
from topology.config import ConfigError
from topology.functions import FunctionSpec
from topology.regions import ROLES


def main(build: Callable[[Target], Mapping[FunctionSpec, Path]] = build_packages) -> None:
    """Register the stack. `build` makes the Lambda packages for what the stack runs on.

    Raises:
        pulumi.RunError: the configuration is wrong or a package cannot be built; every problem is in
            the message, and nothing has been registered.
    """
    try:
        config = load_stack_config()
        packages = build(target_of(config.stack))
    except (ConfigError, PackageError) as error:
        raise pulumi.RunError(str(error)) from error
    account_id = aws.get_caller_identity_output().account_id
    data = GlobalData("data", config=config)
    outputs = dict(data.outputs)
    for role in ROLES:
        site = Site(config=config, role=role, account_id=account_id)
        outputs |= Region(site, data=data, packages=packages).outputs
    for key, value in outputs.items():
        pulumi.export(key, value)


if __name__ == "__main__":
    main()
