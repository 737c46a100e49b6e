"""What an operator's rotation asks a function about one of its secrets, by an invocation with this event.

`{CHECK_SECRET: {"name": whole name, "stage": a version's stage}}`; the answer is
`{"version": id of the version that was read or "", "problem": text or ""}`.
"""

from typing import Final

CHECK_SECRET: Final = "check_secret"  # noqa: S105 - the event's key

CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"
"""The version that functions use, and the one that may become it.
https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html"""
