"""What must be true at every moment of benefits that are kept: one query per rule, which finds what breaks it.

Rules of the ledger look only at the accounts of recoveries. `books` joins these with its own.
"""

from chassis.books import Rule
from services.benefits.store.books_words import BENEFITS, found

_KEY = "'ben_' || replace(benefit.benefit_id::text, '-', '')"
_MINE = BENEFITS.among("benefit.benefit_id")
_RCV = "'rcv_' || replace(recovery.recovery_id::text, '-', '')"
_NEVER_CHOSEN = """
    NOT EXISTS (SELECT FROM payee_change AS change
                WHERE change.benefit_id = {0}.benefit_id AND change.payee_id = {0}.payee_id)
"""


def _account(name: str, rows: str) -> str:
    """Where an account of each kind differs from what the recoveries of the kind add up to."""
    return f"""
        SELECT coalesce(held.kind, owed.kind) AS key FROM (
          SELECT upper(split_part(account, ':', 2)) AS kind, sum(amount_fen) AS fen FROM ledger_posting
          WHERE account LIKE '{name}:%' GROUP BY 1
        ) AS held FULL JOIN (SELECT kind, sum({rows}) AS fen FROM recovery GROUP BY 1) AS owed USING (kind)
        WHERE coalesce(held.fen, 0) <> coalesce(owed.fen, 0)
    """  # noqa: S608 - constants


RULES: tuple[Rule, ...] = (
    Rule(
        "SUSPENSION_IS_OPEN",
        "待遇暂停状态与暂停记录不一致",
        "a benefit is held back without an open suspension, or has one and is not held back",
        f"""
        SELECT {_KEY} AS key FROM benefit
        LEFT JOIN suspension AS open ON open.benefit_id = benefit.benefit_id AND closed_date IS NULL
        WHERE {_MINE} AND ((state = 'SUSPENDED') <> (open.benefit_id IS NOT NULL) OR open.reason <> suspend_reason)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "NOBODY_IS_PAID_WHILE_SUSPENDED",
        "暂停期间的月份仍在发放批次中",
        "a month of a suspension stands in a payroll although the benefit is still held back",
        f"""
        SELECT {_KEY} AS key FROM benefit JOIN payment USING (benefit_id)
        WHERE {_MINE} AND benefit.state = 'SUSPENDED' AND month >= suspended_from AND item = 'MONTH'
          AND payment.state = 'OPEN'
        """,  # noqa: S608 - constant
    ),
    Rule(
        "FORFEITED_IS_NOT_PAID",
        "不予补发的月份已支付且未登记多发",
        "a month that a suspension takes away was paid and nobody wrote it down",
        f"""
        SELECT {_KEY.replace("benefit.", "suspension.")} AS key FROM suspension JOIN payment USING (benefit_id)
        WHERE {BENEFITS.among("suspension.benefit_id")}
          AND month BETWEEN from_month AND forfeited_through AND item = 'MONTH' AND state IN ('OPEN', 'CONFIRMED')
          AND NOT EXISTS (SELECT FROM overpayment WHERE overpayment.payment_id = payment.payment_id)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "CERTIFICATION_STANDS",
        "资格认证状态与最近一次认证不一致",
        "the standing of a beneficiary is not the latest certification",
        """
        SELECT 'per_' || replace(root_id::text, '-', '') AS key FROM (
          SELECT coalesce(survivor_id, certification.person_id) AS root_id, share, max(certified_date) AS last
          FROM certification LEFT JOIN forward ON forward.person_id = certification.person_id GROUP BY 1, 2
        ) AS made LEFT JOIN certification_standing AS standing
          ON standing.person_id = root_id AND standing.share = made.share
        WHERE standing.last_date IS NULL OR standing.last_date < last
        """,
    ),
    Rule(
        "RECOVERY_IS_ITS_ENTRIES",
        "追回记录与其明细不一致",
        "what became of a recovery is not the sum of its entries",
        f"""
        SELECT {_RCV} AS key FROM recovery CROSS JOIN LATERAL (
          SELECT sum(amount_fen) FILTER (WHERE way IN ('COUNTER', 'BANK', 'DEDUCTION')) AS recovered,
                 sum(amount_fen) FILTER (WHERE way = 'WRITTEN_OFF') AS written_off,
                 sum(amount_fen) FILTER (WHERE way IN ('RETURNED', 'CANCELLED')) AS cancelled
          FROM recovery_entry WHERE recovery_entry.recovery_id = recovery.recovery_id
        ) AS entry
        WHERE {BENEFITS.among("recovery.benefit_id")} AND (recovered_fen, written_off_fen, cancelled_fen)
          IS DISTINCT FROM (coalesce(recovered, 0), coalesce(written_off, 0), coalesce(cancelled, 0))
        """,  # noqa: S608 - constant
    ),
    Rule(
        "RECOVERY_IS_WHAT_WAS_OVERPAID",
        "追回金额与多发支付不一致",
        "a recovery of whole payments is not what those payments were",
        f"""
        SELECT {_RCV} AS key FROM recovery LEFT JOIN overpayment USING (recovery_id)
        WHERE cause_id IS NULL GROUP BY recovery.recovery_id, recovery.amount_fen
        HAVING coalesce(sum(overpayment.amount_fen), 0) > recovery.amount_fen
        """,  # noqa: S608 - constant
    ),
    Rule(
        "OVERPAID_IS_RECOVERED",
        "多发支付未列入追回",
        "a payment that was not owed belongs to no recovery",
        """
        SELECT 'pmt_' || replace(payment_id::text, '-', '') AS key FROM overpayment
        WHERE recovery_id IS NULL AND settled_date IS NULL AND cancelled_date IS NULL AND amount_fen > 0
        """,
    ),
    Rule(
        "DEDUCTION_IS_ANSWERED",
        "抵扣与银行回盘或追回明细不一致",
        "a deduction is not where the bank's answer puts it, or it is no entry of its recovery",
        """
        SELECT 'pmt_' || replace(payment_id::text, '-', '') AS key FROM deduction JOIN payment USING (payment_id)
        LEFT JOIN recovery_entry AS entry USING (payment_id, recovery_id)
        WHERE deduction.amount_fen > payment.amount_fen
          OR deduction.state <> CASE payment.state WHEN 'CONFIRMED' THEN 'TAKEN' WHEN 'RETURNED' THEN 'RELEASED'
                                ELSE 'HELD' END
          OR (deduction.state = 'TAKEN') <> (entry.way IS NOT DISTINCT FROM 'DEDUCTION')
          OR deduction.state = 'TAKEN' AND entry.amount_fen <> deduction.amount_fen
        """,
    ),
    Rule(
        "DEDUCTIONS_WITHIN_WHAT_IS_OWED",
        "在途抵扣超过欠款",
        "payments on their way hold back more than is owed",
        f"""
        SELECT {_RCV} AS key FROM recovery JOIN deduction USING (recovery_id) JOIN payment USING (payment_id)
        WHERE deduction.state = 'HELD' AND payment.state = 'OPEN'
        GROUP BY recovery.recovery_id, recovery.amount_fen
        HAVING sum(deduction.amount_fen) > recovery.amount_fen - recovered_fen - written_off_fen - cancelled_fen
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAYEE_IS_CHOSEN",
        "收款账户未经两人确定",
        "a benefit or payment goes to an account that two persons never decided on",
        f"""
        SELECT {_KEY} AS key
        FROM benefit CROSS JOIN {found("determination", "determination_id", "benefit.determination_id")}
        WHERE {_MINE} AND benefit.payee_id <> determination.payee_id AND {_NEVER_CHOSEN.format("benefit")}
        UNION ALL
        SELECT 'pmt_' || replace(payment_id::text, '-', '')
        FROM (
            SELECT payment.*, determination_id FROM payment JOIN benefit USING (benefit_id)
            WHERE {_MINE} AND {BENEFITS.among("payment.benefit_id")} AND payment.payee_id <> benefit.payee_id OFFSET 0
        ) AS payment CROSS JOIN {found("determination", "determination_id", "payment.determination_id")}
        WHERE payment.payee_id <> determination.payee_id AND {_NEVER_CHOSEN.format("payment")}
        """,  # noqa: S608 - constant
    ),
    Rule(
        "KEPT_BY_TWO",
        "申请生效但没有已执行的复核",
        "a request took effect without an executed approval",
        """
        SELECT 'kpr_' || replace(keeping_request_id::text, '-', '') AS key FROM keeping_request
        LEFT JOIN approval ON approval.id = approval_id
        WHERE (keeping_request.state = 'DONE') <> (approval.state IS NOT DISTINCT FROM 'EXECUTED')
        """,
    ),
    Rule(
        "LEDGER_RECEIVABLE",
        "总账应收追回款与追回记录不一致",
        "what is owed in the ledger is not what the recoveries say",
        _account("receivable", "amount_fen - recovered_fen - written_off_fen - cancelled_fen"),
    ),
    Rule(
        "LEDGER_OVERPAID",
        "总账多发金额与追回记录不一致",
        "what was paid too much in the ledger is not what the recoveries say",
        _account("overpaid", "cancelled_fen - amount_fen"),
    ),
    Rule(
        "LEDGER_RECOVERED",
        "总账已追回金额与追回记录不一致",
        "what came back in the ledger is not what the recoveries say",
        _account("recovered", "recovered_fen"),
    ),
    Rule(
        "LEDGER_WRITTEN_OFF",
        "总账核销金额与追回记录不一致",
        "what was given up in the ledger is not what the recoveries say",
        _account("written_off", "written_off_fen"),
    ),
)
