"""A backup bucket as a folder: configuration, packages, and a full export of two alerts."""

import hashlib
import json
import zipfile
from pathlib import Path

from dr.exports.synthesis import ACCOUNT, BUCKET, TABLE_ARN, Recipe, synthesize
from tests.fakes.dr_stack import FAILOVER, PRIMARY
from topology.backups import package_key, stack_key
from topology.functions import FUNCTIONS


def backup_bucket(root: Path) -> Path:
    """Make it at `root`, as the stack dev has it at its last deployment."""
    packages = {}
    for spec in FUNCTIONS:
        path = root / package_key("latest", spec)
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(path, "w") as out:
            out.writestr("handler.py", "")
        packages[spec.suffix] = hashlib.sha256(path.read_bytes()).hexdigest()
    record = {
        "stack": "dev",
        "config": {
            "primaryRegion": PRIMARY,
            "failoverRegion": FAILOVER,
            "witnessRegion": "us-east-2",
            "owner": "team",
        },
        "outputs": {
            "AlertsTableName": TABLE_ARN.rpartition("/")[2],
            "PrimaryRegion": PRIMARY,
            "FailoverRegion": FAILOVER,
            "AlarmTopicArn": f"arn:aws:sns:{PRIMARY}:{ACCOUNT}:alarms",
            "BackupBucketName": BUCKET,
            "FailoverBackupBucketName": f"{BUCKET}-failover",
        },
        "packages": packages,
    }
    path = root / stack_key("latest")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record), encoding="utf-8")
    synthesize(root, Recipe(items=2))
    return root
