"""What must be true of the money at every moment: one query per rule, which finds what breaks it; nothing is health.

This is the one source of these rules: `CheckBooks`, `hrss reconcile enrollment` and the oracle of the tests run them.
Each answers with a column `key` that names what is wrong. Rules of the ledger look only at the kinds of entries that
this room books, so that others may book beside it.
"""

from collections.abc import Sequence

from chassis import books
from chassis.books import Finding, Rule, finding
from services.enrollment.store.books_accounts import ACCOUNT_RULES
from services.enrollment.store.books_rule import BILL, ID, booked, equal

__all__ = ["BALANCES", "BY_CODE", "RULES", "Finding", "Rule", "finding", "prove"]

RULES: tuple[Rule, ...] = (
    Rule(
        "BILL_IS_ITS_LINES",
        "征缴单与人员明细合计不一致",
        "a bill is not the sum of its lines",
        f"""
        SELECT {BILL} AS key FROM bill LEFT JOIN (
            SELECT bill_id, count(*) AS persons, sum(pension_employer_fen) AS a, sum(pension_employee_fen) AS b,
                   sum(unemployment_employer_fen) AS c, sum(unemployment_employee_fen) AS d,
                   sum(injury_employer_fen) AS e, sum(annuity_employer_fen) AS f, sum(annuity_employee_fen) AS g
            FROM bill_line GROUP BY bill_id
        ) AS line USING (bill_id)
        WHERE (person_count, pension_employer_fen, pension_employee_fen, unemployment_employer_fen,
               unemployment_employee_fen, injury_employer_fen, annuity_employer_fen, annuity_employee_fen, total_fen)
            IS DISTINCT FROM (persons, a, b, c, d, e, f, g, a + b + c + d + e + f + g + late_fee_fen)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "BILL_IS_RECEIPTS_AND_ARREARS",
        "征缴单已缴金额与到账合计不一致",
        "what is paid on a bill is not the sum of its receipts",
        f"""
        SELECT {BILL} AS key FROM bill LEFT JOIN receipt USING (bill_id)
        GROUP BY bill_id, paid_fen HAVING paid_fen <> coalesce(sum(amount_fen), 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "DEMAND_IS_ITS_RECEIPTS",
        "应缴款项已缴金额与到账合计不一致",
        "what is paid on a demand is not the sum of its receipts",
        f"""
        SELECT 'dem_' || {ID.format("demand_id")} AS key FROM demand LEFT JOIN demand_receipt USING (demand_id)
        GROUP BY demand_id, paid_fen HAVING paid_fen <> coalesce(sum(amount_fen), 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "COLLECTED_LIES_SOMEWHERE",
        "入库金额与征缴单、应缴款项、暂收款之和不一致",
        "a receipt of the bureau is not on bills, demands and the suspense account in whole",
        """
        SELECT receipt_no AS key FROM collected
        LEFT JOIN (SELECT receipt_no, sum(amount_fen) AS fen FROM receipt
                   WHERE suspense_id IS NULL AND land_use_id IS NULL
                   GROUP BY receipt_no) AS paid USING (receipt_no)
        LEFT JOIN (SELECT receipt_no, sum(amount_fen) AS fen FROM demand_receipt WHERE suspense_id IS NULL
                   GROUP BY receipt_no) AS demanded USING (receipt_no)
        LEFT JOIN (SELECT receipt_no, sum(amount_fen) AS fen FROM suspense WHERE receipt_no IS NOT NULL
                   GROUP BY receipt_no) AS held USING (receipt_no)
        WHERE amount_fen <> coalesce(paid.fen, 0) + coalesce(demanded.fen, 0) + coalesce(held.fen, 0)
        UNION ALL
        SELECT receipt_no FROM receipt WHERE suspense_id IS NULL AND land_use_id IS NULL
            AND NOT EXISTS (SELECT FROM collected WHERE collected.receipt_no = receipt.receipt_no)
        """,
    ),
    Rule(
        "SUSPENSE_IS_WHAT_LIES_THERE",
        "暂收款余额与核对、退还记录不一致",
        "what is left of money on the suspense account is not what came less what went",
        f"""
        SELECT 'sus_' || {ID.format("suspense_id")} AS key FROM suspense
        LEFT JOIN (SELECT suspense_id, sum(amount_fen) AS fen FROM receipt GROUP BY suspense_id) AS paid
            USING (suspense_id)
        LEFT JOIN (SELECT suspense_id, sum(amount_fen) AS fen FROM demand_receipt GROUP BY suspense_id) AS demanded
            USING (suspense_id)
        LEFT JOIN (SELECT suspense_id, sum(amount_fen) AS fen FROM refund WHERE state IN ('ORDERED', 'CONFIRMED')
                   GROUP BY suspense_id) AS back USING (suspense_id)
        WHERE left_fen <> amount_fen - coalesce(paid.fen, 0) - coalesce(demanded.fen, 0) - coalesce(back.fen, 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "RECEIPT_IS_BOOKED",
        "到账没有记账",
        "a receipt has no entry in the ledger",
        f"""
        SELECT 'rcp_' || {ID.format("receipt_id")} AS key FROM (
            SELECT receipt_id FROM receipt UNION ALL SELECT receipt_id FROM demand_receipt
        ) AS one LEFT JOIN ledger_entry ON key = 'rcp_' || {ID.format("receipt_id")} WHERE id IS NULL
        """,  # noqa: S608 - constant
    ),
    Rule(
        "SETTLEMENT_IS_CONTRIBUTIONS",
        "已缴清征缴单的缴费记录不完整或金额不一致",
        "a paid line has not its schemes' months, or they are not its amounts; or an open or refunded one has some",
        f"""
        SELECT {BILL} AS key FROM bill JOIN bill_line AS line USING (bill_id)
        LEFT JOIN contribution AS paid ON paid.bill_id = line.bill_id AND paid.person_id = line.person_id
        GROUP BY bill.bill_id, line.bill_id, line.person_id
        HAVING coalesce(string_agg(scheme::text, ' ' ORDER BY scheme), '') <> CASE
            WHEN bill.state <> 'PAID' OR line.refund_id IS NOT NULL THEN ''
            WHEN kind = 'FLEXIBLE' THEN '110'
            WHEN kind = 'GOVERNMENT' THEN '120' || CASE WHEN line.unemployment_employer_fen > 0 THEN ' 210' ELSE '' END
                || CASE WHEN line.injury_employer_fen > 0 THEN ' 410' ELSE '' END || ' 9012'
            ELSE '110 210 410' END
        OR sum(paid.employer_fen + paid.employee_fen) <> line.pension_employer_fen + line.pension_employee_fen
            + line.unemployment_employer_fen + line.unemployment_employee_fen + line.injury_employer_fen
            + line.annuity_employer_fen + line.annuity_employee_fen
        """.replace("replace(bill_id::", "replace(bill.bill_id::"),  # noqa: S608 - constant
    ),
    Rule(
        "SETTLEMENT_IS_BOOKED",
        "征缴单缴清的记账与征缴单不一致",
        "the entry of a paid bill does not take the bill's money to its funds",
        f"""
        SELECT {BILL} AS key FROM bill LEFT JOIN (
            SELECT key, sum(amount_fen) FILTER (WHERE account = 'bills:received') AS received,
                   sum(amount_fen) FILTER (WHERE account = 'fund:unemployment') AS unemployment,
                   sum(amount_fen) FILTER (WHERE account = 'fund:work_injury') AS injury
            FROM ledger_entry JOIN ledger_posting ON entry_id = id WHERE kind = 'settlement' GROUP BY key
        ) AS entry ON entry.key = {BILL} LEFT JOIN back_payment_bill AS fee USING (bill_id)
        WHERE (state = 'PAID') <> (entry.key IS NOT NULL) OR (state = 'PAID' AND (
            -total_fen, unemployment_employer_fen + unemployment_employee_fen + coalesce(unemployment_fee_fen, 0),
            injury_employer_fen + coalesce(injury_fee_fen, 0)
        ) <> (coalesce(received, 0), coalesce(unemployment, 0), coalesce(injury, 0)))
        """,  # noqa: S608 - constant
    ),
    Rule(
        "DIFFERENCE_IS_ITS_LINES",
        "补差与人员明细合计不一致",
        "a difference is not the sum of its lines, or its demand is for another amount",
        f"""
        SELECT 'dif_' || {ID.format("difference_id")} AS key FROM difference LEFT JOIN (
            SELECT difference_id, count(*) AS persons, sum(account_fen) AS account,
                   sum(pension_employer_fen + pension_employee_fen + unemployment_employer_fen
                       + unemployment_employee_fen + injury_employer_fen) AS total
            FROM difference_line GROUP BY difference_id
        ) AS line USING (difference_id) LEFT JOIN demand USING (difference_id)
        WHERE (person_count, account_fen, difference.total_fen) IS DISTINCT FROM (persons, account, total)
           OR coalesce(demand.total_fen, 0) <> greatest(difference.total_fen, 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "LINE_IS_CREDITED",
        "已缴清人员未按规定记入个人账户",
        "a paid line is not credited to its account",
        f"""
        SELECT {BILL} || '/per_' || {ID.format("line.person_id")} AS key
        FROM bill JOIN bill_line AS line USING (bill_id)
        LEFT JOIN account ON account.person_id = line.person_id
        LEFT JOIN account_entry AS entry ON entry.person_id = line.person_id AND entry.kind = 'CONTRIBUTION'
            AND entry.source = 'bill:bil_' || {ID.format("bill.bill_id")}
        WHERE bill.kind <> 'GOVERNMENT' AND CASE WHEN bill.state <> 'PAID' THEN entry.person_id IS NOT NULL
                   WHEN entry.person_id IS NULL THEN coalesce(settle_month >= line.month, true)
                   ELSE entry.amount_fen <> account_fen END
        """.replace("replace(bill_id::", "replace(bill.bill_id::"),  # noqa: S608 - constant
    ),
    Rule(
        "DIFFERENCE_IS_CREDITED",
        "补差记入个人账户的金额不一致",
        "a settled difference is not what the accounts got by it",
        f"""
        SELECT 'dif_' || {ID.format("difference_id")} AS key FROM difference LEFT JOIN (
            SELECT source, sum(amount_fen) AS fen FROM account_entry WHERE source LIKE 'difference:%' GROUP BY source
        ) AS entry ON source = 'difference:dif_' || {ID.format("difference_id")}
        WHERE credited_fen <> coalesce(fen, 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "ACCOUNT_IS_ITS_ENTRIES",
        "个人账户余额与记账明细不一致",
        "an account is not the sum of its entries",
        f"""
        SELECT 'per_' || {ID.format("person_id")} AS key FROM account LEFT JOIN account_entry USING (person_id)
        GROUP BY person_id, balance_fen HAVING balance_fen <> coalesce(sum(amount_fen), 0)
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
    Rule(
        "LEDGER_IS_COLLECTED",
        "总账的税务入库与到账合计不一致",
        "what the bureau handed over in the ledger is not what was collected",
        equal(
            "tax:clearing",
            "(SELECT coalesce(-sum(amount_fen), 0) FROM collected)",
            booked("tax:clearing", ("receipt", "suspense", "demand_receipt")),
        ),
    ),
    Rule(
        "LEDGER_IS_PART_PAYMENTS",
        "总账的待结算到账与未缴清征缴单不一致",
        "the money of bills that are not paid in full is not what waits in the ledger",
        equal(
            "bills:received",
            "(SELECT coalesce(sum(paid_fen), 0) FROM bill WHERE state <> 'PAID')",
            booked("bills:received", ("receipt", "suspense_match", "land_payment", "settlement")),
        ),
    ),
    Rule(
        "LEDGER_IS_SUSPENSE",
        "总账的暂收款与暂收款明细不一致",
        "the suspense account of the ledger is not what lies there",
        equal(
            "suspense:received",
            "(SELECT coalesce(sum(left_fen), 0) FROM suspense)",
            booked(
                "suspense:received",
                ("suspense", "suspense_match", "demand_receipt", "difference", "refund_order", "refund_returned"),
            ),
        ),
    ),
    Rule(
        "LEDGER_IS_DEMANDS",
        "总账的应缴款项到账与未生效款项不一致",
        "the money of demands that have not taken effect is not what waits in the ledger",
        equal(
            "demands:received",
            """(SELECT coalesce(sum(paid_fen), 0) FROM demand LEFT JOIN difference USING (difference_id)
                WHERE CASE WHEN demand.kind = 'LATE_FEE' THEN demand.state <> 'PAID'
                           ELSE difference.state <> 'SETTLED' END)""",
            booked("demands:received", ("demand_receipt", "late_fee", "difference")),
        ),
    ),
    Rule(
        "LEDGER_IS_REFUNDS",
        "总账的退费与退费记录不一致",
        "refunds of the ledger are not the refunds that were ordered and paid back",
        """
        SELECT account AS key FROM (
            SELECT 'refunds:ordered' AS account, 'ORDERED' AS state UNION ALL SELECT 'refunds:paid_back', 'CONFIRMED'
        ) AS one
        WHERE (SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting WHERE ledger_posting.account = one.account)
           <> (SELECT coalesce(sum(amount_fen), 0) FROM refund WHERE refund.state = one.state)
        """,
    ),
    Rule(
        "LEDGER_IS_WITHHELD",
        "总账的退休后待退个人部分与明细不一致",
        "shares that no account takes are not what waits in the ledger",
        equal(
            "refunds:after_settlement",
            """(SELECT coalesce(sum(account_fen), 0) FROM bill JOIN bill_line AS line USING (bill_id)
                WHERE bill.state = 'PAID' AND bill.kind <> 'GOVERNMENT' AND NOT EXISTS (
                    SELECT FROM account_entry AS entry
                    WHERE entry.person_id = line.person_id AND entry.kind = 'CONTRIBUTION'
                      AND entry.source = 'bill:bil_' || replace(bill.bill_id::text, '-', '')))
             - (SELECT coalesce(sum(amount_fen), 0) FROM account_entry
                WHERE kind = 'CONTRIBUTION' AND source LIKE 'settlement:%')
             + (SELECT coalesce(sum(withheld_fen), 0) FROM difference)
             + (SELECT coalesce(sum(amount_fen), 0) FROM overlap_refund)
             - (SELECT coalesce(sum(amount_fen), 0) FROM refund
                WHERE kind = 'WITHHELD' AND state IN ('ORDERED', 'CONFIRMED'))""",
            "(SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting WHERE account = 'refunds:after_settlement')",
        ),
    ),
    Rule(
        "LEDGER_IS_ACCOUNTS",
        "总账的个人账户与个人账户余额合计不一致",
        "all accounts together are not the ledger's account of accounts",
        equal(
            "accounts:employee_pension",
            "(SELECT coalesce(sum(balance_fen), 0) FROM account)",
            "(SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting WHERE account = 'accounts:employee_pension')",
        ),
    ),
    *ACCOUNT_RULES,
)
BY_CODE = {rule.code: rule for rule in RULES}


async def prove(database_url: str) -> Sequence[Finding]:
    """Every rule that does not hold, all of them at one moment, whatever is booked meanwhile."""
    return await books.prove(database_url, RULES)


# What the funds hold by division of the employers; an entry of no employer belongs to the whole city.
BALANCES = """
    SELECT account, coalesce(division, '') AS division, sum(amount_fen)::bigint AS fen
    FROM (
        SELECT id, kind,
               CASE WHEN kind IN ('settlement', 'difference', 'late_fee') THEN right(key, 32)::uuid END AS source
        FROM ledger_entry WHERE $1::date IS NULL OR business_date <= $1
    ) AS entry
    JOIN ledger_posting ON entry_id = entry.id AND account LIKE 'fund:%'
    LEFT JOIN bill ON entry.kind = 'settlement' AND bill.bill_id = source
    LEFT JOIN difference ON entry.kind = 'difference' AND difference.difference_id = source
    LEFT JOIN demand ON entry.kind = 'late_fee' AND demand.demand_id = source
    LEFT JOIN employer
        ON employer.employer_id = coalesce(bill.employer_id, difference.employer_id, demand.employer_id)
    GROUP BY 1, 2 HAVING sum(amount_fen) <> 0 ORDER BY 1, 2
"""
