"""Deploys a rebuild's plan to an embedded AWS that is empty: the rehearsal of losing both regions.

The program is this one; its configuration and packages are the backup's. The stand-ins' secrets are put
again, as a person does with the real ones.
"""

import shutil
from typing import Final

from clients.aws import AwsClients
from clients.deployment import Deployment
from dr.rebuilds.plan import RebuildPlan
from emulator.attached_stack import STATE_FILE
from emulator.client import Emulator
from emulator.local_stack import route_webhooks
from emulator.pulumi.deploy import up
from lambda_packages import ROOT

_FILES: Final = ("__main__.py", "Pulumi.yaml")


def deploy_plan(plan: RebuildPlan, emulator: Emulator) -> Deployment:
    """Make the planned stack on `emulator`, or bring it up to date where it is there.

    Raises:
        DeployError: the program or a resource failed; what was made is in the state file.
        StateError: the state file cannot be used.
    """
    for name in _FILES:
        shutil.copyfile(ROOT / name, plan.folder / name)
    stand_ins = emulator.stand_ins()
    deployed = up(
        stack=plan.stack,
        edge_url=emulator.edge_url,
        webhook_base_urls={region: emulator.webhook_base_url(region) for region in emulator.regions},
        state_path=emulator.run_dir / STATE_FILE,
        project_dir=plan.folder,
        instance_id=emulator.instance_id,
        config={"slackWebhookOrigin": f"{stand_ins.slack_webhook_origin}/"},
    )
    deployment = Deployment.from_outputs(deployed.outputs, AwsClients(emulator.edge_url))
    secrets = {
        deployment.names.slack_webhook_secret: stand_ins.slack_webhook_url,
        deployment.names.anthropic_key_secret: stand_ins.anthropic_api_key,
        **route_webhooks(emulator, deployment),
    }
    manager = deployment.clients.client("secretsmanager", deployment.primary.region)
    for name, value in secrets.items():
        manager.put_secret_value(SecretId=name, SecretString=value)
    emulator.checkpoint()
    return deployment
