"""The audit in SQL: from three tables of records to what is wrong. Changes of state are in `audit.changes`.

`audit.comparison` runs these in order, in DuckDB. Times are epoch milliseconds. The records:

- `receipts(alert_id, status, region, accepted_at_ms, fault_key, state, first_sent_at_ms, tells)`: one row a
  202'd alert, repeats included, and one a member that was lost; `tells(fault, state, changed_at_ms)` is what
  the sender itself knows of it
- `ledger(read_in, alert_id, status, region, owner, parent_id, accepted_at_ms, notified_at_ms, digest_id,
  outcome_unknown, lease_expired, ownership_transferred, fault_key, state, changed_at_ms, folds, format,
  silence_id, silenced_until, acknowledged_at, escalated_at)`: one row an alert and a region whose ledger was
  read
- `slack(kind, id, members, received_at_ms)`: `kind` is alert, digest or follow_up; `id` the alert's or the
  digest's; `members` how many alerts a digest says that it is about

Parameters: `$since_ms` and `$until_ms` (the alerts to account for were accepted between them), `$names` and
`$regions` (whose ledgers were read, and how many), `$slack` (whether Slack was read), `$now_ms` and
`$look_ms` (how long after a silence's end somebody has looked at what it hid).

The window says which receipts must be met and which messages must be known. It never leaves out a row that
they are compared with: the row of a repeat, its family or its digest may be older.
"""

from typing import Final

RECEIPTS: Final = {
    "alert_id": "VARCHAR",
    "status": "VARCHAR",
    "region": "VARCHAR",
    "accepted_at_ms": "BIGINT",
    "fault_key": "VARCHAR",
    "state": "VARCHAR",
    "first_sent_at_ms": "BIGINT",
    "tells": "STRUCT(fault VARCHAR, state VARCHAR, changed_at_ms BIGINT)",
}
LEDGER: Final = {
    "alert_id": "VARCHAR",
    "status": "VARCHAR",
    "region": "VARCHAR",
    "owner": "VARCHAR",
    "parent_id": "VARCHAR",
    "accepted_at_ms": "BIGINT",
    "notified_at_ms": "BIGINT",
    "digest_id": "VARCHAR",
    "outcome_unknown": "BIGINT",
    "lease_expired": "BIGINT",
    "ownership_transferred": "BIGINT",
    "fault_key": "VARCHAR",
    "state": "VARCHAR",
    "changed_at_ms": "BIGINT",
    "state_uncertain": "BIGINT",
    "due_at": "BIGINT",
    "folds": "BOOLEAN",
    "format": "VARCHAR",
    "silence_id": "VARCHAR",
    "silenced_until": "BIGINT",
    "acknowledged_at": "BIGINT",
    "escalated_at": "BIGINT",
}
_CHANGES_AT_REST: Final = ("due_at", "silenced_until", "acknowledged_at", "escalated_at")
"""What Recovery or people may change between the scans of two ledgers."""

SLACK: Final = {"kind": "VARCHAR", "id": "VARCHAR", "members": "BIGINT", "received_at_ms": "BIGINT"}

UNNAMED: Final = "request:"
"""Before the id of a request that was answered 202 for nobody knows which alerts; no alert's id starts so."""

LOST: Final = "body:"
"""Before the hash of a body, and the place in it of a member that its 202 neither names nor refuses."""

_CONTENT: Final = (
    f"hash({', '.join(column for column in LEDGER if column not in ('alert_id', *_CHANGES_AT_REST))})"
)
"""Of what a region's ledger says of an alert, in 64 bits: two that differ have one hash in 2^64 cases."""

PREPARE: Final = (
    # One row an alert: in how many ledgers it is, whether they agree on everything, and what it says.
    f"""
    CREATE TABLE alerts AS
    SELECT alert_id, count(*) AS copies, min({_CONTENT}) = max({_CONTENT}) AS agreed,
           max(status) AS status, max(region) AS region, max(parent_id) AS parent_id,
           max(accepted_at_ms) AS accepted_at_ms, max(digest_id) AS digest_id,
           coalesce(max(outcome_unknown), 0) AS outcome_unknown,
           coalesce(max(lease_expired), 0) AS lease_expired,
           coalesce(max(ownership_transferred), 0) AS ownership_transferred, max(fault_key) AS fault_key,
           max(state) AS state, max(changed_at_ms) AS changed_at_ms, max(folds) AS folds,
           coalesce(max(state_uncertain), 0) AS state_uncertain, max(due_at) AS due_at,
           coalesce(max(format) = 'synthetic', false) AS synthetic, max(silence_id) AS silence_id,
           max(silenced_until) AS silenced_until, max(acknowledged_at) AS acknowledged_at,
           max(escalated_at) AS escalated_at,
           CASE WHEN max(silence_id) IS NULL THEN 0 ELSE coalesce(max(outcome_unknown), 0)
                + coalesce(max(lease_expired), 0) + coalesce(max(ownership_transferred), 0)
           END AS may_precede_silence
    FROM ledger GROUP BY alert_id
    """,  # noqa: S608 - `_CONTENT` is made of the names above
    # A family is an alert and its repeats. It is alive if one of them is open, was told to people, or lies
    # under a silence (`audit.changes` says whether rightly).
    """
    CREATE TABLE living_families AS
    SELECT DISTINCT coalesce(parent_id, alert_id) AS family FROM alerts
    WHERE status IN ('RECEIVED', 'ANALYZED', 'NOTIFIED') OR silence_id IS NOT NULL
    """,
    """
    CREATE TABLE singles AS
    SELECT id AS alert_id, count(*) AS posts FROM slack WHERE kind = 'alert' GROUP BY id
    """,
    # A digest is proved by its id, which is a hash of its members' ids: the rows that carry the id must be as
    # many as Slack was told, and must make up the id. With fewer rows the others were posted, not recorded.
    """
    CREATE TABLE digests AS
    WITH posted AS (
        SELECT id AS digest_id, max(members) AS members, min(members) AS fewest, count(*) AS posts,
               max(received_at_ms) AS received_at_ms
        FROM slack WHERE kind = 'digest' GROUP BY id
    ), recorded AS (
        SELECT digest_id, count(*) AS rows,
               'd' || left(sha256(string_agg(alert_id, chr(10) ORDER BY alert_id)), 32) AS made_of
        FROM alerts WHERE digest_id IS NOT NULL GROUP BY digest_id
    )
    SELECT posted.*, coalesce(rows, 0) AS rows,
           CASE WHEN fewest <> members OR coalesce(rows, 0) > members THEN 'wrong'
                WHEN coalesce(rows, 0) < members THEN 'short'
                WHEN made_of <> digest_id THEN 'wrong'
                ELSE 'verified' END AS finding
    FROM posted LEFT JOIN recorded USING (digest_id)
    """,
    # Messages beyond the one that the ledger knows of (none of a PARKED alert), by the possible duplicate
    # that explains each. Those that are left over may explain members of a digest that were posted and not
    # recorded.
    """
    CREATE TABLE surplus AS
    WITH posted AS (
        SELECT alerts.*,
               coalesce(singles.posts, 0) + coalesce(digests.posts, 0) AS posts,
               coalesce(accepted_at_ms >= $since_ms AND accepted_at_ms < $until_ms, true) AS in_window
        FROM alerts LEFT JOIN singles USING (alert_id) LEFT JOIN digests USING (digest_id)
    ), beyond AS (
        SELECT *, greatest(posts - (status <> 'PARKED')::INT, 0) AS extra FROM posted
        WHERE status <> 'SUPPRESSED' AND NOT synthetic
          AND (posts > 0 OR outcome_unknown + lease_expired + ownership_transferred > 0)
    ), first AS (
        SELECT *, least(extra, outcome_unknown) AS by_unknown FROM beyond
    ), second AS (
        SELECT *, least(extra - by_unknown, lease_expired) AS by_abandoned FROM first
    ), third AS (
        SELECT *, least(extra - by_unknown - by_abandoned, ownership_transferred) AS by_moved FROM second
    )
    SELECT alert_id, posts, in_window, by_unknown, by_abandoned, by_moved,
           extra - by_unknown - by_abandoned - by_moved AS unexplained,
           outcome_unknown - by_unknown AS spare_unknown,
           lease_expired - by_abandoned AS spare_abandoned,
           ownership_transferred - by_moved AS spare_moved
    FROM third
    """,
    """
    CREATE TABLE promised AS
    SELECT alert_id, bool_or(status <> 'SUPPRESSED') AS was_live,
           max(fault_key) AS fault_key, max(state) AS state
    FROM receipts
    WHERE accepted_at_ms >= $since_ms AND accepted_at_ms < $until_ms GROUP BY alert_id
    """,
)
"""Run before the questions below. The comments inside say what each table is for."""

FINDINGS: Final = """
    CREATE TABLE findings AS
    SELECT promised.alert_id, alerts.status, alerts.region, alerts.digest_id,
        CASE
        WHEN starts_with(promised.alert_id, 'request:')
            THEN 'answered 202, and the log of reception does not say for which alerts'
        WHEN starts_with(promised.alert_id, 'body:')
            THEN 'lost: sent in a body that was answered 202, and the answer neither names nor refuses it'
        WHEN copies IS NULL OR copies < $regions THEN 'no row in the ledger of ' || (
            SELECT string_agg(name, ', ' ORDER BY name) FROM (
                SELECT unnest($names) AS name
                EXCEPT SELECT read_in FROM ledger WHERE ledger.alert_id = promised.alert_id))
        WHEN NOT agreed THEN 'the ledgers of the regions disagree (' || (
            SELECT string_agg(read_in || ': ' || status, ', ' ORDER BY read_in) FROM ledger
            WHERE ledger.alert_id = promised.alert_id) || ')'
        WHEN alerts.status NOT IN ('NOTIFIED', 'SUPPRESSED', 'PARKED')
            THEN 'not at rest: ' || alerts.status
        WHEN promised.fault_key <> coalesce(alerts.fault_key, '')
             OR promised.state <> coalesce(alerts.state, '')
            THEN 'answered as ' || coalesce(promised.state, '') || ' of the fault '
                 || coalesce(promised.fault_key, '') || ', but its row says '
                 || coalesce(alerts.state, 'nothing') || ' of ' || coalesce(alerts.fault_key, 'none')
        WHEN alerts.status = 'SUPPRESSED' AND was_live AND silence_id IS NULL
            THEN 'answered as an alert to go out, but its row is SUPPRESSED'
        WHEN alerts.status = 'SUPPRESSED' AND silence_id IS NULL AND living_families.family IS NULL
            THEN coalesce(
            (SELECT 'SUPPRESSED, but nobody of its family is open or NOTIFIED; its parent '
                    || alert_id || ' is ' || status
             FROM alerts AS parent WHERE parent.alert_id = alerts.parent_id),
            'SUPPRESSED, but its parent ' || coalesce(alerts.parent_id, '') || ' has no row')
        WHEN untold.change IS NOT NULL THEN untold.change
        WHEN mistaken.why IS NOT NULL THEN mistaken.why
        WHEN NOT $slack THEN NULL
        WHEN alerts.status = 'SUPPRESSED' AND singles.posts > may_precede_silence
            THEN 'SUPPRESSED, but Slack has a message of it'
        WHEN alerts.status = 'NOTIFIED' AND alerts.digest_id IS NULL AND singles.posts IS NULL
            THEN 'NOTIFIED, but Slack has no message of it'
        WHEN alerts.status = 'NOTIFIED' AND alerts.digest_id IS NOT NULL AND finding IS NULL
            THEN 'NOTIFIED in digest ' || alerts.digest_id || ', but Slack has no such digest'
        WHEN alerts.status = 'NOTIFIED' AND finding = 'wrong'
            THEN 'NOTIFIED in digest ' || alerts.digest_id || ', but Slack''s was about ' || members
                 || ' alerts, and the ' || rows || ' rows that carry its id do not make it up'
        END AS problem
    FROM promised
    LEFT JOIN alerts USING (alert_id)
    LEFT JOIN living_families ON living_families.family = alerts.parent_id
    LEFT JOIN singles USING (alert_id)
    LEFT JOIN digests USING (digest_id)
    LEFT JOIN untold USING (alert_id)
    LEFT JOIN (SELECT alert_id, min(why) AS why FROM mistaken GROUP BY alert_id) AS mistaken USING (alert_id)
"""
"""What became of each promised alert; `problem` NULL where it is accounted for."""

STRANGE_MESSAGES: Final = """
    INSERT INTO findings
    SELECT id, any_value(alerts.status), any_value(alerts.region), NULL,
        CASE WHEN count(copies) = 0 THEN 'Slack has a message of it, and no ledger knows it'
             ELSE any_value(alerts.status) || ', but Slack has a '
                  || CASE kind WHEN 'alert' THEN 'message' ELSE 'follow-up' END || ' of it' END
    FROM slack LEFT JOIN alerts ON alerts.alert_id = slack.id
    WHERE kind <> 'digest' AND received_at_ms >= $since_ms
      AND (copies IS NULL OR (kind = 'alert' AND alerts.status = 'SUPPRESSED' AND may_precede_silence = 0)
           OR (kind = 'follow_up' AND alerts.status <> 'NOTIFIED'))
      AND id NOT IN (SELECT alert_id FROM findings WHERE problem IS NOT NULL)
    GROUP BY id, kind
"""
"""Messages about an alert that there is not, or that was not to be told: named whether promised or not."""

UNTOLD_UNRECEIPTED: Final = """
    INSERT INTO findings
    SELECT alert_id, status, region, NULL, change FROM untold JOIN alerts USING (alert_id)
    WHERE alert_id NOT IN (SELECT alert_id FROM findings)
"""
"""Untold changes of state that nobody has a receipt of."""

PEOPLE: Final = """
    SELECT count(*) FILTER (alerts.status = 'SUPPRESSED' AND silence_id IS NOT NULL), count(acknowledged_at),
           count(escalated_at),
           (SELECT count(*) FROM alerts
            WHERE synthetic AND accepted_at_ms >= $since_ms AND accepted_at_ms < $until_ms)
    FROM findings JOIN alerts USING (alert_id) WHERE problem IS NULL
"""
"""What people did about sound alerts, and how many alerts are none of theirs."""

COUNTS: Final = """
    SELECT region, status, count(*), count(digest_id) FROM findings WHERE problem IS NULL GROUP BY ALL
"""
ACCEPTED: Final = "SELECT count(*) FROM promised"
UNACCOUNTED: Final = "SELECT count(DISTINCT alert_id) FROM findings WHERE problem IS NOT NULL"
PROBLEMS: Final = "SELECT alert_id, problem FROM findings WHERE problem IS NOT NULL ORDER BY ALL"

TOLD_IN_DOUBT: Final = """
    SELECT coalesce(sum(state_uncertain), 0)::BIGINT FROM alerts
    WHERE coalesce(accepted_at_ms >= $since_ms AND accepted_at_ms < $until_ms, true)
"""
UNRECEIPTED: Final = """
    SELECT count(*) FROM alerts ANTI JOIN receipts USING (alert_id)
    WHERE accepted_at_ms >= $since_ms AND accepted_at_ms < $until_ms AND NOT synthetic
"""
DIGESTS: Final = """
    SELECT count(*), count(*) FILTER (finding = 'verified') FROM digests WHERE received_at_ms >= $since_ms
"""
SURPLUS: Final = """
    SELECT coalesce(sum(by_unknown) FILTER (in_window), 0)::BIGINT,
           coalesce(sum(by_abandoned) FILTER (in_window), 0)::BIGINT,
           coalesce(sum(by_moved) FILTER (in_window), 0)::BIGINT,
           coalesce(sum(unexplained) FILTER (in_window), 0)::BIGINT,
           coalesce(sum(spare_unknown), 0)::BIGINT, coalesce(sum(spare_abandoned), 0)::BIGINT,
           coalesce(sum(spare_moved), 0)::BIGINT
    FROM surplus
"""
SHORTFALL: Final = """
    SELECT coalesce(sum(posts * (members - rows)), 0)::BIGINT FROM digests
    WHERE finding = 'short' AND received_at_ms >= $since_ms
"""
UNEXPLAINED: Final = """
    SELECT alert_id, 'in Slack ' || posts || ' times, and its row counts no possible duplicate that explains '
        || unexplained FROM surplus WHERE unexplained > 0 AND in_window ORDER BY alert_id
"""
SHORT_DIGESTS: Final = """
    SELECT digest_id, 'a digest of ' || members || ' alerts in Slack, of which the ledger knows ' || rows
                      || '; the possible duplicates of all rows explain too few of the others'
    FROM digests WHERE finding = 'short' AND received_at_ms >= $since_ms ORDER BY digest_id
"""
