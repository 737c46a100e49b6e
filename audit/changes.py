"""The audit of changes of state in SQL: which ones people were never told.

A fault is firing or resolved. Of its events in order, one that differs in state from the event before it has
to be told: SUPPRESSED, it is named. Two records say which events a fault had:

- the ledger: each row with its `fault_key`, `state` and `changed_at_ms`, as the pipeline understood it
- the sender: each receipt of which it `tells` fault and state by itself; so what the pipeline took for the
  same fault, or for a retry of an alert, is found as well

What is SUPPRESSED under a silence is no repeat, and has a rule of its own: when the silence ends, the state
that it hid is told, unless people know it.

Events are in order where `$clocks_ms` or more are between them; a sender's without a time of its own lasts
from its first try to the answer. Where another order of those that are closer would make an event a repeat of
one that was told, it is not accused.
"""

from typing import Final

PREPARE: Final = (
    # The events of each fault that was in both states. Told is what goes or went out, or is PARKED; what is
    # below a row that folds a flood is told by that. An answer with a row from before the first try is not.
    # Under an eventual ledger a repeat that Recovery has still to look at may be told yet, and so may what
    # waits for the end of its silence.
    """
    CREATE TABLE events AS
    WITH folding AS (SELECT alert_id FROM alerts WHERE folds), known AS (
        SELECT 'ledger' AS record, fault_key AS fault, state = 'resolved' AS resolved,
               changed_at_ms AS since_ms, changed_at_ms AS until_ms,
               alert_id, parent_id, status, accepted_at_ms,
               status <> 'SUPPRESSED' OR coalesce(parent_id IN (FROM folding), false)
               OR (due_at IS NOT NULL AND ($eventual OR silence_id IS NOT NULL)) AS told
        FROM alerts WHERE fault_key IS NOT NULL AND state IS NOT NULL AND changed_at_ms IS NOT NULL
        UNION ALL
        SELECT 'sender', tells.fault, tells.state = 'resolved',
               coalesce(tells.changed_at_ms, first_sent_at_ms),
               coalesce(tells.changed_at_ms, receipts.accepted_at_ms),
               alert_id, parent_id, alerts.status, receipts.accepted_at_ms,
               (alerts.status <> 'SUPPRESSED'
                AND coalesce(alerts.accepted_at_ms >= first_sent_at_ms - $clocks_ms, true))
               OR coalesce(parent_id IN (FROM folding), false)
               OR (due_at IS NOT NULL AND ($eventual OR silence_id IS NOT NULL))
        FROM receipts JOIN alerts USING (alert_id) WHERE tells IS NOT NULL
    )
    FROM known SEMI JOIN (
        SELECT record, fault FROM known GROUP BY ALL HAVING bool_or(resolved) AND NOT bool_and(resolved)
    ) USING (record, fault)
    """,
    # A silence hides an alert that came before its end, and no longer than until Recovery has looked at it.
    # What rests under it then was over before (an event in the other state came), or is what people know:
    # they were told last of the same state, or of none and it is resolved. What is PARKED they find, but it
    # is in no channel: a resolution of it may rest.
    """
    CREATE TABLE hidden AS
    WITH folding AS (SELECT alert_id FROM alerts WHERE folds), silenced AS (
        SELECT alert_id, fault_key, state, changed_at_ms, accepted_at_ms, due_at, silence_id,
               silenced_until * 1000 AS until_ms
        FROM alerts WHERE status = 'SUPPRESSED' AND silence_id IS NOT NULL
    ), relatives AS (
        SELECT fault_key, state, changed_at_ms, accepted_at_ms,
               status <> 'SUPPRESSED' OR coalesce(parent_id IN (FROM folding), false) AS told,
               status = 'PARKED' AS parked
        FROM alerts WHERE fault_key IN (SELECT fault_key FROM silenced)
    ), later AS (
        SELECT silenced.alert_id,
               bool_or(relatives.state <> silenced.state
                       AND relatives.changed_at_ms > silenced.changed_at_ms - $clocks_ms) AS superseded,
               max(relatives.changed_at_ms) FILTER (told AND relatives.state = silenced.state) AS same_ms,
               max(relatives.changed_at_ms) FILTER (
                   told AND NOT parked AND relatives.state <> silenced.state) AS other_ms
        FROM silenced JOIN relatives USING (fault_key)
        WHERE relatives.accepted_at_ms <= until_ms + $look_ms
        GROUP BY ALL
    )
    SELECT alert_id, accepted_at_ms,
           'SUPPRESSED under the silence ' || silence_id || ', ' || CASE
           WHEN coalesce(until_ms <= accepted_at_ms - $clocks_ms, true) THEN 'which had ended before it came'
           WHEN due_at IS NOT NULL AND until_ms + $look_ms < $now_ms
               THEN 'which outlived its end: that was ' || ($now_ms - until_ms) // 1000
                    || ' s ago, and nobody has looked at what it hid'
           WHEN due_at IS NULL AND NOT coalesce(superseded, false) AND NOT CASE
                WHEN same_ms IS NULL THEN coalesce(state = 'resolved' AND other_ms IS NULL, false)
                ELSE coalesce(same_ms > other_ms - $clocks_ms, true) END
               THEN 'nobody will look at it again, and its fault stayed ' || coalesce(state, 'as it was')
                    || ', which nobody was told'
           END AS change
    FROM silenced LEFT JOIN later USING (alert_id)
    """,
    # An event that was not told is an untold change if an event in the other state was certainly before it,
    # and no told one in its own state can have been between them, nor a try that its sender saw no answer of.
    # Of several such in a row the first is the change.
    """
    CREATE TABLE untold AS
    WITH others AS (
        SELECT record, fault, NOT resolved AS resolved, until_ms,
               max(since_ms) OVER (PARTITION BY record, fault, resolved ORDER BY until_ms) AS other_ms
        FROM events
    ), tellings AS (
        SELECT record, fault, resolved, since_ms,
               max(until_ms) OVER (PARTITION BY record, fault, resolved ORDER BY since_ms) AS told_ms
        FROM events WHERE told
    ), silent AS (
        SELECT quiet.*, coalesce(parent_id, alert_id) AS family, other_ms
        FROM (FROM events WHERE NOT told) AS quiet ASOF JOIN others
        ON quiet.record = others.record AND quiet.fault = others.fault AND quiet.resolved = others.resolved
           AND quiet.since_ms - $clocks_ms >= others.until_ms
    ), unseen AS (
        SELECT 'sender' AS record, coalesce(parent_id, alert_id) AS family, max(accepted_at_ms) AS unseen_ms
        FROM alerts ANTI JOIN receipts USING (alert_id)
        WHERE status <> 'SUPPRESSED' AND coalesce(parent_id, alert_id) IN (
            SELECT family FROM silent WHERE record = 'sender')
        GROUP BY ALL
    ), accused AS (
        SELECT silent.* FROM silent ASOF LEFT JOIN tellings
        ON silent.record = tellings.record AND silent.fault = tellings.fault
           AND silent.resolved = tellings.resolved AND silent.until_ms + $clocks_ms > tellings.since_ms
        LEFT JOIN unseen ON unseen.record = silent.record AND unseen.family = silent.family
        WHERE coalesce(told_ms <= other_ms - $clocks_ms, true)
          AND coalesce(unseen_ms <= other_ms - $clocks_ms, true)
    ), changes AS (
        SELECT *, max(until_ms) OVER (PARTITION BY record, fault, resolved ORDER BY since_ms, alert_id
                                      ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before_ms
        FROM accused QUALIFY coalesce(before_ms <= other_ms - $clocks_ms, true)
    )
    SELECT alert_id, any_value(status) || ', but its fault had changed from '
           || CASE WHEN any_value(resolved) THEN 'firing to resolved' ELSE 'resolved to firing' END
           || ', which nobody was told (by the ' || string_agg(DISTINCT record, ' and the ' ORDER BY record)
           || ')'
           AS change
    FROM changes WHERE accepted_at_ms >= $since_ms AND accepted_at_ms < $until_ms
         AND alert_id NOT IN (SELECT alert_id FROM hidden)
    GROUP BY alert_id
    UNION ALL
    SELECT alert_id, change FROM hidden
    WHERE change IS NOT NULL AND accepted_at_ms >= $since_ms AND accepted_at_ms < $until_ms
    """,
    # What is told as another state than its sender's, or for another fault than its sender's, is not told of
    # that. A row that folds a flood is about many faults.
    """
    CREATE TABLE mistaken AS
    WITH named AS (
        SELECT alert_id, alerts.parent_id, alerts.status, min(tells.fault) AS fault,
               min(tells.fault) <> max(tells.fault) AS several,
               bool_or(tells.state <> alerts.state) AS reversed
        FROM receipts JOIN alerts USING (alert_id) WHERE tells IS NOT NULL AND NOT coalesce(folds, false)
        GROUP BY ALL
    )
    SELECT named.alert_id,
           CASE WHEN named.reversed THEN 'its sender told the other state of its fault'
                WHEN named.several THEN 'it stands for several faults of its sender'
                ELSE 'SUPPRESSED, but what it repeats is of another fault of its sender' END AS why
    FROM named LEFT JOIN named AS parent ON parent.alert_id = named.parent_id
    WHERE named.reversed OR named.several
          OR (named.status = 'SUPPRESSED' AND NOT parent.several AND parent.fault <> named.fault)
    UNION ALL
    SELECT alerts.alert_id, 'SUPPRESSED, but what it repeats is of another fault' FROM alerts
    JOIN alerts AS parent ON parent.alert_id = alerts.parent_id
    WHERE alerts.status = 'SUPPRESSED' AND parent.fault_key <> alerts.fault_key
          AND NOT coalesce(parent.folds, false)
    """,
)

KNOWN: Final = """
    SELECT (SELECT count(DISTINCT alert_id) FROM receipts WHERE tells IS NOT NULL
            AND accepted_at_ms >= $since_ms AND accepted_at_ms < $until_ms),
           (SELECT count(*) FROM alerts WHERE fault_key IS NOT NULL AND state IS NOT NULL
            AND changed_at_ms IS NOT NULL AND accepted_at_ms >= $since_ms AND accepted_at_ms < $until_ms)
"""
"""Of how many alerts the sender, and the ledger, know fault and state."""

UNTOLD: Final = "SELECT count(*) FROM untold"
