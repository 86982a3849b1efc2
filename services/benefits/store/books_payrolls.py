"""What must be true of payrolls and of the ledger: one query per rule, which finds what breaks it.

Rules of the ledger look only at the kinds of entries that payrolls book, so that other rooms may book beside them. They
compare sums at one moment and cannot be proved in parts.
"""

from chassis.books import Rule
from services.benefits.lifecycle import FUND_OF
from services.benefits.store import paying
from services.benefits.store.books_words import PAYROLLS, PMT, PRL, key, listed

BOOKED = ("payroll", "payment_paid", "payment_returned", "payment_lapsed", "payment_owed_again")
_MINE = PAYROLLS.among("payroll.payroll_id")
_CHUNK = key("prl", "kept.payroll_id").replace(" AS key", " || '/' || chunk AS key")
_RELEASED = "payroll.state = 'APPROVED' AND payment.state <> 'WITHDRAWN'"
# What was sent again, unless that was withdrawn or never released, is not owed by its first payment any more.
_EXPECTED = f"""
    WITH fund (kind, account) AS (VALUES {", ".join(f"('{kind}', 'fund:{fund}')" for kind, fund in FUND_OF.items())}),
    released AS MATERIALIZED (
        SELECT payment.kind, payment.state, item, sum(amount_fen) AS fen
        FROM payment JOIN payroll USING (payroll_id) WHERE {_RELEASED} GROUP BY 1, 2, 3
    ),
    expected (account, fen) AS (
        SELECT 'clearing:bank', fen FROM released WHERE state = 'OPEN'
        UNION ALL SELECT 'paid:' || lower(kind), fen FROM released WHERE state = 'CONFIRMED'
        UNION ALL
        SELECT CASE WHEN back.state = 'LAPSED' THEN fund.account ELSE 'returned:' || lower(payment.kind) END, amount_fen
        FROM payment JOIN payroll USING (payroll_id) JOIN returned_payment AS back USING (payment_id)
        JOIN fund ON fund.kind = payment.kind
        WHERE payment.state = 'RETURNED' AND {_RELEASED}
          AND NOT EXISTS (SELECT FROM payment AS again JOIN payroll AS other USING (payroll_id)
                          WHERE again.again_of = payment.payment_id AND again.state <> 'WITHDRAWN'
                            AND other.state = 'APPROVED')
        UNION ALL SELECT account, -fen FROM released JOIN fund USING (kind) WHERE item <> 'AGAIN'
    ),
    held AS (
        SELECT account, sum(amount_fen) AS fen FROM ledger_posting JOIN ledger_entry ON id = entry_id
        WHERE kind IN ({listed(BOOKED)}) GROUP BY account
    )
"""  # noqa: S608 - constant

RULES: tuple[Rule, ...] = (
    Rule(
        "PAYROLL_IS_ITS_PAYMENTS",
        "发放批次与支付合计不一致",
        "a payroll does not add up",
        f"""
        SELECT {PRL} FROM payroll CROSS JOIN LATERAL (
            SELECT count(*) AS payments, sum(amount_fen) AS fen, count(*) FILTER (WHERE state = 'CONFIRMED') AS paid,
                   count(*) FILTER (WHERE state = 'RETURNED') AS back
            FROM payment WHERE payment.payroll_id = payroll.payroll_id AND payment.state <> 'WITHDRAWN'
        ) AS made
        WHERE {_MINE} AND payroll.state <> 'PREPARING' AND (payment_count <> payments
          OR total_fen <> coalesce(fen, 0) OR confirmed_count <> paid OR returned_count <> back)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAYROLL_IS_ITS_CHUNKS",
        "发放批次的摘要与分段或支付不一致",
        "the digest of a payroll is not that of its chunks, or a chunk is not its payments and findings",
        f"""
        SELECT {PRL} FROM payroll CROSS JOIN LATERAL (
            SELECT string_agg(digest, ''::bytea ORDER BY chunk) AS digests,
                   bool_or(chunk = 0) AS is_old  -- before payrolls had chunks
            FROM payroll_chunk AS kept WHERE kept.payroll_id = payroll.payroll_id
        ) AS chunks CROSS JOIN LATERAL (
            SELECT sha256(string_agg(part, ''::bytea ORDER BY payment_id)) AS held
            FROM ({paying.DEDUCED}) AS deduced WHERE deduced.payroll_id = payroll.payroll_id
        ) AS deduced
        WHERE {_MINE} AND state <> 'PREPARING' AND is_old IS NOT TRUE
          AND payroll.digest <> sha256(coalesce(digests, ''::bytea) || coalesce(held, ''::bytea))
        UNION ALL
        SELECT {_CHUNK}
        FROM payroll_chunk AS kept JOIN ({paying.chunks_where(PAYROLLS.among("payroll_id"))}) AS made
          USING (payroll_id, chunk)
        WHERE {PAYROLLS.among("kept.payroll_id")}
          AND (payment_count, total_fen, finding_count, kept.digest)
              IS DISTINCT FROM (payments::integer, fen, findings::integer, made.digest)
        UNION ALL
        SELECT {_CHUNK}
        FROM payroll_chunk AS kept LEFT JOIN ({paying.kinds_where(PAYROLLS.among("payroll_id"))}) AS made
          USING (payroll_id, chunk)
        WHERE {PAYROLLS.among("kept.payroll_id")} AND kept.kinds <> coalesce(made.kinds, '{{}}')
        """,  # noqa: S608 - constant
    ),
    Rule(
        "ANSWERED_WAS_RELEASED",
        "未复核批次的支付已有银行回盘",
        "an answered payment of a payroll that was not approved",
        f"""
        SELECT {PMT} FROM payroll JOIN payment USING (payroll_id)
        WHERE {_MINE} AND payroll.state <> 'APPROVED' AND payment.state IN ('CONFIRMED', 'RETURNED')
        """,  # noqa: S608 - constant
    ),
    Rule(
        "LEDGER_IS_PAYMENTS",
        "总账与支付（分险种、分状态）不一致",
        "an account of the ledger is not what the payments of its kind and state add up to",
        f"""
        {_EXPECTED}
        SELECT account AS key FROM held
        FULL JOIN (SELECT account, sum(fen) AS fen FROM expected GROUP BY account) AS wanted USING (account)
        WHERE coalesce(held.fen, 0) <> coalesce(wanted.fen, 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "ENTRY_IS_BALANCED",
        "总账分录借贷不平",
        "an entry of the ledger does not sum to zero, or has no postings",
        """
        SELECT ledger_entry.key FROM ledger_entry LEFT JOIN ledger_posting ON entry_id = id
        GROUP BY ledger_entry.key HAVING coalesce(sum(amount_fen), 1) <> 0
        """,
    ),
)
