"""What must hold in the database of cards at any moment, whatever happened before.

Each invariant is a query that finds what breaks it; none uses the code that wrote the rows.
"""

from __future__ import annotations

import asyncpg

QUERIES = {
    "two live cards of one person": """
        SELECT person_id FROM card WHERE state NOT IN ('REJECTED', 'REPLACED', 'CANCELLED', 'EXPIRED')
        GROUP BY person_id HAVING count(*) > 1
    """,
    "an issue number does not fit its check digits": """
        SELECT card_id FROM card WHERE issue_no !~ '^32061[0-9]{15}$' OR issue_no::numeric % 97 <> 1
    """,
    "a usable physical card without an electronic one": """
        SELECT person_id FROM holder WHERE physical_state = 'NORMAL'
          AND person_id NOT IN (SELECT person_id FROM card)
    """,
    "a card is open while the physical one cannot be used": """
        SELECT card_id FROM card JOIN holder USING (person_id)
        WHERE physical_state <> 'NORMAL' AND state IN ('ISSUED', 'ACTIVE', 'LOCKED')
    """,
    "a card that was activated without consent or PIN": """
        SELECT card_id FROM card LEFT JOIN pin USING (card_id)
        WHERE 'ACTIVE' IN (state, state_before) AND (consent_date IS NULL OR pin.card_id IS NULL)
    """,
    "the last event of a physical card is not where its holder stands": """
        SELECT person_id FROM holder WHERE physical_sequence <> coalesce(
          (SELECT max(sequence) FROM physical_event WHERE physical_event.person_id = holder.person_id AND applied), 0)
    """,
    "a card said more or less than its audit rows": """
        SELECT id FROM aggregate WHERE kind = 'card' AND version <> (
          NOT EXISTS (SELECT FROM audit WHERE action IN ('card_issue', 'card_request') AND detail->>'card_id' = id)
        )::integer + (
          SELECT count(*) FROM audit WHERE action IN ('card_issue', 'card_activate', 'card_lock', 'card_reset_pin',
            'card_suspend', 'card_resume', 'card_cancel', 'card_used_twice', 'card_request', 'card_start_proof',
            'card_pass_proof', 'card_fail_proof', 'card_decline', 'card_unlock', 'card_lapse', 'card_suspend_formally',
            'card_replace', 'card_die', 'card_expire') AND detail->>'card_id' = id)
    """,
    "a card that neither has an audit row of its own nor is one of a batch": """
        SELECT born, batched FROM (
          SELECT count(*) AS born FROM aggregate WHERE kind = 'card' AND NOT EXISTS (
            SELECT FROM audit WHERE action IN ('card_issue', 'card_request') AND detail->>'card_id' = id)
        ) AS cards, (
          SELECT coalesce(sum((detail->>'issued')::integer), 0) AS batched FROM audit WHERE action = 'card_batch_issued'
        ) AS parts WHERE born <> batched
    """,
    "a binding that does not say what its card says": """
        SELECT binding_id FROM binding JOIN card USING (card_id)
        WHERE binding.state = 'live' AND binding.status <> status_of(card.state)
    """,
    "a replaced card that leads to no card of its holder": """
        SELECT old.card_id FROM card AS old LEFT JOIN card AS next ON next.card_id = old.replaced_by
        WHERE old.state = 'REPLACED' AND (next.card_id IS NULL OR next.person_id <> old.person_id
          OR next.card_id <= old.card_id OR next.issue_no = old.issue_no)
    """,
    "a card in whose place two cards stood": """
        SELECT replaced_by FROM card WHERE replaced_by IS NOT NULL GROUP BY replaced_by HAVING count(*) > 1
    """,
    "an open card of somebody who died": """
        SELECT card_id FROM card JOIN holder USING (person_id) WHERE death_date IS NOT NULL
          AND state NOT IN ('QUEUED', 'REJECTED', 'REPLACED', 'CANCELLED', 'EXPIRED')
    """,
    "a place that two bindings had": """
        SELECT list_no, idx FROM binding GROUP BY list_no, idx HAVING count(*) > 1
    """,
    "a place that was never leased": """
        SELECT list_no FROM status_list JOIN binding USING (list_no) GROUP BY list_no, next HAVING count(*) > next
    """,
    "a number of a request that never was": """
        SELECT card_id FROM card
        WHERE state IN ('REQUESTED', 'VERIFYING', 'QUEUED', 'REJECTED') AND issue_no IS NOT NULL
    """,
    "a waiting card that nobody was asked for": """
        SELECT card_id FROM card WHERE state = 'QUEUED'
          AND card_id NOT IN (SELECT card_id FROM issue_order WHERE state IN ('OPEN', 'SENT'))
    """,
    "a suspended card that nobody reported": """
        SELECT card_id FROM card WHERE state LIKE 'SUSPENDED%' AND suspended_by <> 'PHYSICAL'
          AND NOT EXISTS (SELECT 1 FROM loss_report WHERE loss_report.card_id = card.card_id AND actor = suspended_by)
    """,
    "a loss of which the holder was not told": """
        SELECT report_id FROM loss_report WHERE NOT EXISTS (
          SELECT 1 FROM card_notice WHERE card_notice.card_id = loss_report.card_id
            AND event IN ('SUSPEND', 'SUSPEND_FORMALLY') AND card_notice.business_date = loss_report.business_date)
    """,
    "a card without a place for its codes": """
        SELECT card_id FROM card WHERE issue_no IS NOT NULL AND NOT EXISTS (
          SELECT 1 FROM binding WHERE binding.card_id = card.card_id AND binding.reference = card.reference)
    """,
}


async def violations(owner_url: str) -> list[str]:
    """Every invariant that does not hold, with what breaks it."""
    connection = await asyncpg.connect(owner_url.replace("+asyncpg", ""))
    try:
        return [
            f"{name}: {[tuple(row) for row in rows][:5]}"
            for name, query in QUERIES.items()
            if (rows := await connection.fetch(query))
        ]
    finally:
        await connection.close()
