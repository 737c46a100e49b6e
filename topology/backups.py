"""Where a backup is: the layout of the backup buckets, which people's scripts read, and how often it is made.

Only the ledger is exported. The analysis cache fills itself again, and what instances agree on
(`topology.tables.COORDINATION`) must not be taken from the past.
"""

from typing import Final

from topology.functions import FunctionSpec

EXPORTS: Final = "dynamodb-exports"
CONFIGS: Final = "config"
PACKAGES: Final = "code"

LATEST: Final = "latest"
"""In place of a date: what the last deployment put there, and what is copied under each day's date."""

STACK_BYTES_MAX: Final = 1 << 20
"""Of `stack.json`, which is read as a whole."""

INCREMENTAL_EVERY_S: Final = 3_600
INCREMENTAL_WINDOW_MAX_H: Final = 24
"""What an incremental export may hold. The hourly one holds the last `exportMaxAgeH` hours, so the next run
makes up for one that failed, and the alarm goes off an hour before runs that fail can leave a gap.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html"""

DAILY_WITHIN_H: Final = 26
"""A daily backup that is not there again after so long is missed."""

FULL_EXPORT_SCHEDULE: Final = "cron(0 3 * * ? *)"
INCREMENTAL_EXPORT_SCHEDULE: Final = "cron(20 * * * ? *)"
"""Twenty past: point-in-time recovery is up to five minutes behind, so the whole hour before is there.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/PointInTimeRecovery_Howitworks.html"""

COPY_SCHEDULE: Final = "cron(30 3 * * ? *)"
VAULT_SCHEDULE: Final = "cron(0 4 ? * * *)"
RESTORE_TEST_SCHEDULE: Final = "cron(0 6 ? * SUN *)"


def export_prefix(date: str) -> str:
    """The S3 prefix of the exports of a date (ISO 8601, with a time where Scheduler wrote it).

    DynamoDB puts `/AWSDynamoDB/<export id>/...` behind it.
    """
    return f"{EXPORTS}/{date}"


def stack_key(date: str) -> str:
    """The key of the stack's configuration and outputs as of a date."""
    return f"{CONFIGS}/{date}/stack.json"


def package_key(date: str, spec: FunctionSpec) -> str:
    """The key of a function's package as of a date."""
    return f"{PACKAGES}/{date}/{spec.suffix}.zip"
