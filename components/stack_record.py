"""What a deployment leaves in the backup bucket for a rebuild: configuration, outputs and packages."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pulumi
import pulumi_aws as aws

from components.backups.bucket import BackupBucket
from components.region_context import RegionContext
from topology.backups import LATEST, package_key, stack_key
from topology.functions import FunctionSpec
from topology.names import PROJECT
from topology.outputs import SECRET

_OF_THIS_MACHINE: Final = frozenset({"packagesFrom"})
"""Configuration that means nothing where a stack is rebuilt."""


@dataclass(frozen=True)
class StackRecord:
    """What a stack was made from and what it gave. `configuration` by key, without the namespace."""

    stack: str
    configuration: Mapping[str, object]
    outputs: Mapping[str, pulumi.Input[str]]
    packages: Mapping[FunctionSpec, Path]

    def kept_configuration(self) -> Mapping[str, object]:
        """The configuration that holds wherever the stack is rebuilt."""
        return {key: value for key, value in self.configuration.items() if key not in _OF_THIS_MACHINE}

    def to_json(self) -> pulumi.Output[str]:
        """The text of `stack.json`; no secret, and the same for the same deployment.

        Its digests tell a rebuild that packages are damaged, or of two deployments: each object is replicated
        by itself.
        """
        kept = self.kept_configuration()
        digests = {
            spec.suffix: hashlib.sha256(package.read_bytes()).hexdigest()
            for spec, package in self.packages.items()
        }
        outputs = pulumi.Output.all(**{k: v for k, v in self.outputs.items() if k not in SECRET})
        return outputs.apply(
            lambda values: json.dumps(
                {
                    "stack": self.stack,
                    "config": kept,
                    "outputs": values,
                    "packages": digests,
                    "written_by": PROJECT,
                },
                indent=2,
                sort_keys=True,
            )
        )

    def keep(self, folder: Path) -> None:
        """Write the record to `<stack>.json` in `folder`, once all outputs are known: never in a preview.

        A folder that cannot be written to fails no deployment.
        """

        def write(text: str) -> None:
            unfinished = folder / f"{self.stack}.json.part"
            try:
                folder.mkdir(parents=True, exist_ok=True)
                unfinished.write_text(text, encoding="utf-8")
                unfinished.replace(folder / f"{self.stack}.json")
            except OSError as error:
                pulumi.log.warn(f"commands here have to be told where the stack is: {error}")

        if not pulumi.runtime.is_dry_run():
            self.to_json().apply(write)


class StackRecordObjects(pulumi.ComponentResource):
    """The record as objects under `latest`; a day's copies are made of them by the schedules."""

    def __init__(
        self,
        context: RegionContext,
        *,
        bucket: BackupBucket,
        record: StackRecord,
        after: pulumi.Resource,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Register an object for `stack.json` and one for each package, none of them before `after`.

        The bucket's default retention locks each new version, and the provider takes that lock for an
        argument: left out, its next update would take the lock off; ignored, the next version would get it as
        it was, and S3 refuses a date that is past. So other content is another object under the same key: it
        is put without a lock, for which the bucket's default stands, and the version before it stays.
        https://github.com/hashicorp/terraform-provider-aws/blob/033c721bf1eda7db79395cd73acb54c7efa57ffc/internal/service/s3/object.go
        """
        super().__init__("incident:global:StackRecord", context.logical("record"), None, opts)
        child = pulumi.ResourceOptions(
            parent=self,
            depends_on=[after],
            ignore_changes=["objectLockMode", "objectLockRetainUntilDate"],
            replace_on_changes=["content", "contentType", "source"],
            retain_on_delete=True,
        )
        aws.s3.BucketObjectv2(
            context.logical("stack"),
            region=context.region,
            bucket=bucket.name,
            key=stack_key(LATEST),
            content=record.to_json(),
            content_type="application/json",
            opts=child,
        )
        for spec, package in record.packages.items():
            aws.s3.BucketObjectv2(
                context.logical(spec.key),
                region=context.region,
                bucket=bucket.name,
                key=package_key(LATEST, spec),
                source=pulumi.FileAsset(str(package)),
                content_type="application/zip",
                opts=child,
            )
        self.register_outputs({})
