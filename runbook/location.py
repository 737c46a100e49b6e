"""Where a stack is: its outputs, as the last `up` here or in either region's backup bucket left them.

Neither Pulumi nor the primary region is needed for that. `ops.opened_stack` opens the stack that is found.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from botocore.exceptions import BotoCoreError

from clients.aws import AwsClients
from clients.deployment import Deployment, IncompleteOutputsError
from dr.exports.objects import ObjectMissingError, Objects, ObjectsUnreadableError, S3Objects
from emulator.pulumi.project import stack_config
from lambda_packages import ROOT
from topology.backups import LATEST, STACK_BYTES_MAX, stack_key
from topology.config import ConfigError
from topology.errors import ExplainedError
from topology.names import Names
from topology.outputs import RECORDS_FOLDER
from topology.regions import FAILOVER, PRIMARY

BUCKET_SCHEME: Final = "s3://"
BUCKET_FORM: Final = "s3://REGION:BUCKET"


class NotLocatedError(ExplainedError):
    """None of the places where a stack's outputs may be has them; each is named with what is wrong."""


class BucketFormError(ExplainedError):
    """What should name a backup bucket does not."""


@dataclass(frozen=True)
class Place:
    """Where the record of a stack may lie: `stack.json` in a backup bucket, or the file that an `up` kept.

    `stack`: of which it has to be; empty where that is not known.
    """

    said: str
    read: Callable[[AwsClients], bytes]
    stack: str = ""

    def outputs(self, clients: AwsClients) -> Mapping[str, object]:
        """The stack's outputs.

        Raises:
            NotLocatedError: they are not there, cannot be read, or are another stack's.
        """
        try:
            record = json.loads(self.read(clients))
        except (OSError, BotoCoreError, ObjectMissingError, ObjectsUnreadableError) as error:
            raise NotLocatedError(f"{self.said}: {error}") from error
        except (ValueError, RecursionError) as error:
            raise NotLocatedError(f"{self.said} is damaged: {error}") from error
        outputs = record.get("outputs") if isinstance(record, dict) else None
        if not isinstance(outputs, dict):
            raise NotLocatedError(f"{self.said} is no record of a stack")
        if self.stack and outputs.get("Stack") != self.stack:
            raise NotLocatedError(f"{self.said} is of the stack {outputs.get('Stack')!r}")
        return outputs


def bucket_place(where: str) -> Place:
    """The place that `s3://REGION:BUCKET` names, of the last deployment; or of a day, with the object's key.

    Raises:
        BucketFormError: it names none.
    """
    address, _, key = where.removeprefix(BUCKET_SCHEME).partition("/")
    region, colon, bucket = address.partition(":")
    if not (region and colon and bucket):
        raise BucketFormError(
            f"{where!r} names no bucket with its region; allowed: {BUCKET_FORM}, such as "
            "s3://us-west-2:mcp-responder-backups-failover, or with /config/2026-11-30/stack.json"
        )
    return _in_bucket(region, bucket, key or stack_key(LATEST))


def places_of(stack: str, *, root: Path = ROOT) -> list[Place]:
    """Where the record of a stack is looked for by its name: here, then in its buckets, the failover's last.

    `root`: the program's folder, whose `Pulumi.<stack>.yaml` says which buckets these are.

    Raises:
        ConfigError: with every problem of that file.
    """
    file, names, config = root / RECORDS_FOLDER / f"{stack}.json", Names(stack), stack_config(root, stack)
    buckets = [
        _in_bucket(region, names.backup_bucket(role, config.backup_bucket_suffix), stack_key(LATEST), stack)
        for role, region in zip((PRIMARY, FAILOVER), config.regions, strict=True)
    ]
    return [Place(f"what the last `up` here kept, {file}", lambda _: file.read_bytes(), stack), *buckets]


def locate(where: str, clients: AwsClients, *, root: Path = ROOT) -> Deployment:
    """The stack that `s3://REGION:BUCKET` or its name means.

    Raises:
        BucketFormError: an address names no bucket.
        NotLocatedError: no place has its outputs; with all of them and what is wrong with each.
    """
    problems = []
    try:
        places = [bucket_place(where)] if where.startswith(BUCKET_SCHEME) else places_of(where, root=root)
    except ConfigError as error:
        raise NotLocatedError(f"nothing tells where the stack {where} is: {error}") from error
    for place in places:
        try:
            return Deployment.from_outputs(place.outputs(clients), clients)
        except NotLocatedError as error:
            problems.append(str(error))
        except IncompleteOutputsError as error:
            problems.append(f"{place.said}: {error}")
    raise NotLocatedError(
        f"{'; '.join(problems)}. Name another place by --outputs: a file of `pulumi stack output --json`, or "
        f"{BUCKET_FORM}, either region's backup bucket"
    )


def _in_bucket(region: str, bucket: str, key: str, stack: str = "") -> Place:
    def read(clients: AwsClients) -> bytes:
        objects: Objects = S3Objects(clients.client("s3", region), bucket)
        return objects.read(key, limit_bytes=STACK_BYTES_MAX)

    return Place(f"{BUCKET_SCHEME}{region}:{bucket}/{key}", read, stack)
