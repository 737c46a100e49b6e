"""The limits that only the handlers need, each with its reason. AWS's own are in `topology.limits`."""

from typing import Final

MAX_BODY_BYTES: Final = 1024 * 1024
"""Of a webhook body. Far below what a Lambda function is given (6 MB, of which Base64 takes a quarter), above
any real group seen. https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""

MAX_NESTING: Final = 32
"""Of objects and arrays in a body."""

MAX_ALERTS_PER_BODY: Final = 1_000
"""Written within four tries at the tens of milliseconds of a cross-region write (docs/adr/0011)."""

MAX_SAMPLE_BYTES: Final = 2_048
"""Of what was refused, in the log: enough to know its sender and its fault by."""

MAX_SEARCHED_BYTES: Final = 2 * MAX_SAMPLE_BYTES
"""Of it that are searched for secrets, so that one which the sample's end cuts is known by its whole."""

MAX_MEMBERS_LOOKED_AT: Final = 10_000
"""Of a body: ten times what is taken. A megabyte of `{},` has 345,000, seven seconds of CPU."""

MAX_REFUSED_NAMED: Final = 1_000
"""Members that an answer names; of a megabyte of commas it would not fit into Lambda's 6 MB."""

MAX_ITEM_BYTES: Final = 350_000
"""Of a ledger row; DynamoDB's own limit is 400 KB.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html"""

LATER_ATTRIBUTES_BYTES: Final = 64_000
"""Kept free in a new row for what later steps add: the analysis, cut by the four limits below."""

MAX_TITLE_CHARS: Final = 500
MAX_MESSAGE_CHARS: Final = 16_000
MAX_NAME_CHARS: Final = 256
"""Of a source, component, host, start time, label name or label value."""

MAX_LINK_CHARS: Final = 2_000
"""A longer link is dropped, since a cut one leads nowhere. Slack takes 3,000 in a button.
https://docs.slack.dev/reference/block-kit/block-elements/button-element/"""

MAX_LABELS: Final = 64
MAX_IDEMPOTENCY_KEY_CHARS: Final = 255
MAX_REASON_CHARS: Final = 500

MAX_SHOWN_MESSAGE_CHARS: Final = 8_000
MAX_SHOWN_LABELS_CHARS: Final = 4_000
"""Of a message, and of all labels with their names, that the model is shown: calls are paid for by them."""

MAX_ANALYSIS_TEXT_CHARS: Final = 2_000
"""Of a summary, a cause or an action; longer ones are cut, as they only lose prose."""

MAX_ACTIONS: Final = 8

REST_RETENTION_S: Final = 90 * 86_400
"""How long NOTIFIED and SUPPRESSED rows are kept: the runbook's 90-day retention."""

FOREVER_MS: Final = 1 << 53
"""Later than any event, epoch milliseconds."""

MAX_ATTEMPTS: Final = 14
"""Of one step of one alert, by workers and Recovery together, before it is PARKED. With the backoff below
that is more than an hour of an outage, the jitter at its least."""

APART_ATTEMPTS: Final = 4
"""Of analysis: what was tried so often may be what ends its worker, or be beside that in each batch, since
Recovery wakes up both at once. From here on such alerts are worked on one after the other, in another order
each time."""

MAX_ADDRESS_ATTEMPTS: Final = 4
"""The last of these in which Slack's address may be unusable. With the backoff below that is half a minute:
longer than a webhook is away while people rotate it, or a secret's replica is behind, and so short that they
hear soon of one that stays away. An alert that was tried before for another reason has as many, as long as
`MAX_ATTEMPTS` allows."""

FIRST_BACKOFF_S: Final = 4
MAX_BACKOFF_S: Final = 900
"""Between two attempts of distribution: doubling from the first to the most."""

LEAST_JITTER: Final = 0.75
"""Of a backoff; the most is as much above 1."""

MAX_LEASE_BACKOFF_S: Final = 900
"""Between two attempts of Recovery: doubling from the lease to this."""

MAX_ANALYST_CALLS: Final = 3
"""For one alert in one invocation."""

ANALYSIS_PATIENCE_S: Final = 30
"""How long an alert waits for its analysis once a worker has it; then it goes out and is followed up."""

CRITICAL_ANSWER_S: Final = 15
"""A CRITICAL alert itself waits as long as the stack says (`criticalPatienceS`). Its worker waits so long in
all for the answer, which is paid for; less than others do, as it holds one of few places of its queue."""

FOLLOW_UP_AFTER_S: Final = 60
MAX_FOLLOW_UP_ATTEMPTS: Final = 8
"""An analysis that is not to be had in the next hour or two helps nobody any more."""

MAX_FOLLOW_UP_WAITS: Final = 4
"""So often a follow-up lets alerts go first, each time for twice as long and as one of its attempts: 75
seconds in all. What still waits then may do so for an hour, or for ever."""

FAULT_RECORD_WINDOWS: Final = 2
"""A fault's record outlives its last change by so many windows of repeats, so that no id is made twice."""

UNSEEN_RETRY_S: Final = 20
"""Under an eventual ledger, the same bytes after this are no retry but a repeat: a change of state may have
been accepted in the other region meanwhile, and only a repeat's row has Recovery look for it."""

WAKE_AGAIN_AFTER_S: Final = 10
"""The invocation that wrote a row sends its wake-up within its own timeout, or never."""

REPEAT_LOOK_AFTER_S: Final = 60
"""After this a SUPPRESSED alert's fault is looked at: the indexes and the other region's writes are there."""

SEEN_LOOK_AFTER_S: Final = 120
"""After this it is looked at for the last time, once the other region's writes have come: after a pause they
come all at once, and the indexes show them a while later."""

MAX_REPEATS_PER_RUN: Final = 200
"""Looked at in one run of Recovery, after everything else."""

MAX_SILENCED_PER_RUN: Final = 200
"""Alerts of a region whose silence is over that are looked at in one run of Recovery: with those of both
regions there are turns left for what comes after them."""

MAX_ENDED_EARLY_READ: Final = 2_000
"""Rows of a region and an earlier end that are read for those of the silence that somebody ended."""

MAX_SILENCED_EVENTS_SEEN: Final = 200
MAX_SILENCED_EVENTS_READ: Final = 20
"""Of a fault in each of its states, in the index; and of them, whose rows are read. Repeats come last."""

MAX_ESCALATED_PER_RUN: Final = 60
"""Alerts in one message of the second way: three lines of 300 characters each, and up to four bytes for one,
are 220 KB of the 256 that SNS takes."""

QUOTA_MINUTE_S: Final = 60
FOLD_AFTER_S: Final = 15
"""A fold goes out so long after its minute: by then reception, which has 10 seconds, has written what it
folded, and the index shows it."""

MAX_FOLDED_COUNTED: Final = 10_000
"""What a fold counts; of more it says that they are at least so many."""

HEARTBEAT_NOTE_S: Final = 15
"""A heartbeat that was noted so lately is not noted again, so that a fast one makes no hot item."""

ABSENCE_GRACE_S: Final = 60
"""What is expected may be so much later than it should: a note is up to 15 seconds old, Recovery runs each
minute, and a sender's own rhythm wavers."""

ABSENCE_SECOND_LOOK_S: Final = 60
"""So long after the region whose turn it is the other one tells of an absence that nobody has told of."""

WATCH_GAP_S: Final = 300
"""A Recovery that has not looked for so long has seen nothing meanwhile: what it watches for has its whole
time again."""

SYNTHETIC_INTERVALS: Final = 3
"""Of silence, after which a region's synthetic alerts are missing."""

MIN_DIGEST_ALERTS: Final = 4
MAX_DIGEST_ALERTS: Final = 100
"""Fewer are read more easily one by one; more could not be recorded in the time that an invocation has."""

MAX_DIGEST_FAULTS: Final = 40
"""Of more the causes would not be readable: Slack takes 50 blocks a message."""

DIGEST_WINDOW_S: Final = 5
"""An alert that found no room twice waits this long, so that a storm gathers into few messages."""

MAX_DIGEST_WAIT_S: Final = 30
"""It waits half as long as it has waited in all, and so long at most."""

GATHERING_S: Final = 5
"""A held alert waits so long where more may follow at once: for a message to edit, or to see how many there
are. One in so long does, of an incident."""

FLUSH_COUNTS: Final = (10, 100, 1_000, 10_000)
"""When an incident has so many alerts, people are told again of those that are held."""

MAX_INCIDENT_ROWS: Final = 2_000
"""Counted of an incident: one page of its index. Of more people are told that they are at least so many."""

ASK_AGAIN_S: Final = 60
"""The model is asked once for an incident; for its next alert after this, if there is no answer still."""

PAIR_WAIT_S: Final = 5
"""How long the resolution of an alert that is being analysed waits for it, twice at most, and such an alert
for its resolution: they go out together."""

PARKED_LOOK_S: Final = 3_600
"""How often Recovery looks for repeats of a PARKED alert that nothing stands in for."""

MAX_CHILDREN_LOOKED_AT: Final = 10
MAX_PARKED_COUNTED: Final = 1_000
MAX_RECOVERED_PER_RUN: Final = 500
MAX_FOLLOW_UPS_PER_RUN: Final = 50
"""So that what follows up yesterday's outage never stands before today's alerts."""

MAX_EXPIRED_PER_RUN: Final = 200
"""Each minute in each region: 288,000 a day and region, which is more than any stack takes in."""

MAX_UNREADABLE_PER_KEY: Final = 500
"""Rows that nobody can read stay at the head of their key until somebody corrects them. So many are passed
over beside the `MAX_RECOVERED_PER_RUN`, whose turns they do not take; where one key has more, what lies
behind them waits. Of follow-ups they take the turns: there everybody has been told already."""

REMEMBERED_MS: Final = 5_000
"""How old may be what a worker remembers of a shared record and acts on without reading it again. A frozen
worker's clock shows that it is older."""

MAX_DEFERRAL_S: Final = 3_600
"""However long a service asks us to stay away, an alert is tried again within the hour."""

MAX_OPEN_DUE_S: Final = MAX_DEFERRAL_S + MAX_LEASE_BACKOFF_S
"""No open alert is due later than this from now."""

LEASE_MARGIN_S: Final = 2
"""A lease outlives the invocation that holds it by this much, for clocks that disagree."""

CUT_MARK: Final = "… [cut]"


def cut(text: str, limit: int) -> str:
    """`text`, or if it is longer than `limit` characters, that many of it with `CUT_MARK` at the end."""
    return text if len(text) <= limit else text[: limit - len(CUT_MARK)] + CUT_MARK
