"""The metrics of our own that alarms, the dashboard and the health checks watch."""

from typing import Final

NAMESPACE: Final = "McpIncidentResponder"
PARKED_ALERTS: Final = "ParkedAlerts"
"""How many alerts are PARKED for the region to see to, once a minute, by Recovery
(`handlers.adapters.aws.metrics`)."""

OLDEST_EXPIRED: Final = "OldestExpiredRowS"
"""For how long the oldest row that should be gone has been expired, in seconds; 0 while there is none."""

REFUSALS: Final = "Refusals"
"""How many requests and members of groups reception refused, and how many messages on the alarm topic were no
alarm: in all, and by format and reason (`handlers.domain.intake.refusals`)."""

IGNORED: Final = "Ignored"
"""How many members of bodies were no alert, such as a test or an acknowledgement, by format. No alarm."""

UNUSABLE_ROUTES: Final = "UnusableRoutes"
"""How often Slack did not take a message by the address of a route, since its secret has no value or the
channel or webhook is gone: in all, and by route (`handlers.adapters.aws.metrics`)."""

CACHE_HITS: Final = "CacheHits"
"""How many alerts were analysed without asking the model, by the analysis function."""

MODEL_CALLS: Final = "ModelCalls"
INPUT_TOKENS: Final = "InputTokens"
OUTPUT_TOKENS: Final = "OutputTokens"
"""How often the model answered, and what it billed, by the analysis function."""

ACCEPTED_TO_SLACK: Final = "AcceptedToSlackMs"
"""Milliseconds from an alert's acceptance until Slack had taken it, one value an alert, by distribution."""

UNWATCHED: Final = (OLDEST_EXPIRED, CACHE_HITS, MODEL_CALLS, INPUT_TOKENS, OUTPUT_TOKENS, ACCEPTED_TO_SLACK)
"""Those that no alarm watches, one of each in a region."""

BACKUP_AGE: Final = "BackupAgeS"
"""Seconds from the time that a backup shows until it was finished. The state machine that makes the backup
(`components.backups.state_machines`) writes it under `BACKUP_DIMENSION`, and only for a good one."""

STACK_DIMENSION: Final = "Stack"
BACKUP_DIMENSION: Final = "Backup"
FORMAT_DIMENSION: Final = "Format"
REASON_DIMENSION: Final = "Reason"
ROUTE_DIMENSION: Final = "Route"
PERIOD_S: Final = 60
