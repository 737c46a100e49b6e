"""CloudTrail's event history of what takes messages away; ministack records every call or none.

All calls would be the data events too, which AWS's event history leaves out, with the alerts in them.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-logging-using-cloudtrail.html
"""

from typing import Any, Final

from ministack.core import iam_evaluator, responses
from ministack.services import cloudtrail, sqs

PURGE: Final = "PurgeQueue"


def record_purges() -> None:
    """Have LookupEvents answer which queue was purged, when, and by whom: at once, AWS's within minutes."""
    purge = sqs._HANDLERS[PURGE]  # noqa: SLF001 - ministack's table of actions

    def purged(request: dict[str, Any], url: str) -> dict[str, Any]:
        answer: dict[str, Any] = purge(request, url)
        cloudtrail.record_event(
            service="sqs",
            event_name=PURGE,
            username=iam_evaluator.caller_arn().rpartition(":")[2],
            access_key_id="",
            resources=[],
            region=responses.get_region(),
            request_id="",
            user_agent="",
            request_params={"queueUrl": request.get("QueueUrl", url)},
            method="POST",
        )
        return answer

    sqs._HANDLERS[PURGE] = purged  # noqa: SLF001 - as above
