"""What must be true of payments, differences and what came back: one query per rule, which finds what breaks it."""

from chassis.books import Rule
from services.benefits.store.books_words import BENEFITS, NOT_OVERPAID, PMT, STANDS, found, key

_MINE = BENEFITS.among("payment.benefit_id")
_BOTH = f"{_MINE} AND {BENEFITS.among('benefit.benefit_id')}"  # each side of a join by its own keys

RULES: tuple[Rule, ...] = (
    Rule(
        "PAYMENT_IS_OF_ITS_BENEFIT",
        "支付与待遇的人员、种类或收款人不一致",
        "a payment of another person, kind or share than its benefit, or to a payee of somebody else",
        f"""
        SELECT {PMT} FROM payment JOIN benefit USING (benefit_id)
        WHERE {_BOTH}
          AND (payment.person_id, payment.kind, payment.share) <> (benefit.person_id, benefit.kind, benefit.share)
        UNION ALL
        SELECT {PMT} FROM (
            SELECT benefit_id, benefit.payee_id FROM benefit
            CROSS JOIN {found("payee", "payee_id", "benefit.payee_id")}
            WHERE {BENEFITS.among("benefit.benefit_id")} AND payee.person_id <> benefit.person_id OFFSET 0
        ) AS wrong JOIN payment USING (benefit_id, payee_id)
        UNION ALL
        SELECT {PMT} FROM (
            SELECT payment.*, benefit.person_id AS owner_id FROM payment JOIN benefit USING (benefit_id)
            WHERE {_BOTH} AND payment.payee_id <> benefit.payee_id OFFSET 0
        ) AS payment CROSS JOIN {found("payee", "payee_id", "payment.payee_id")} WHERE payee.person_id <> owner_id
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAYMENT_IS_INSIDE_ITS_BENEFIT",
        "支付在待遇起止月份之外且未登记多发",
        "a payment before the start of its benefit, or after its end and nobody wrote it down as overpaid",
        f"""
        SELECT {PMT} FROM payment JOIN benefit USING (benefit_id)
        WHERE {_BOTH} AND (payment.month < benefit.first_month
           OR (payment.month > benefit.last_month AND {STANDS.format("payment")}
               AND (item <> 'DIFFERENCE' OR payment.month > benefit.first_month)  -- one that never began gives back
               AND {NOT_OVERPAID.format("payment")}))
        """,  # noqa: S608 - constant
    ),
    Rule(
        "OVERPAYMENT_CAME_BACK_OR_NOT",
        "多发登记与银行退回不一致",
        "an overpayment is recovered although the money came back, or settled although it did not",
        f"""
        SELECT {PMT} FROM overpayment JOIN payment USING (payment_id)
        WHERE {BENEFITS.among("overpayment.benefit_id")}
          AND (payment.state = 'RETURNED') <> (settled_date IS NOT NULL) AND cancelled_date IS NULL
        """,  # noqa: S608 - constant
    ),
    Rule(
        "MONTH_IS_PAID_ONCE",
        "同一月份重复支付",
        "a month of a benefit or of a person is paid twice",
        f"""
        SELECT {key("ben", "benefit_id")} FROM payment
        WHERE {_MINE} AND item = 'MONTH' AND state <> 'WITHDRAWN' GROUP BY benefit_id, month HAVING count(*) > 1
        UNION ALL
        SELECT {key("per", "benefit.person_id")} FROM benefit
        JOIN benefit AS beside ON beside.person_id = benefit.person_id AND beside.benefit_id > benefit.benefit_id
          AND (beside.kind, beside.share) = (benefit.kind, benefit.share)
        JOIN payment AS one ON one.benefit_id = benefit.benefit_id
        JOIN payment AS other ON other.benefit_id = beside.benefit_id AND other.month = one.month
        WHERE {BENEFITS.among("benefit.benefit_id")} AND one.item = 'MONTH' AND other.item = 'MONTH'
          AND one.state <> 'WITHDRAWN' AND other.state <> 'WITHDRAWN'
        """,  # noqa: S608 - constant
    ),
    Rule(
        "AMOUNT_IS_THE_BENEFITS",
        "支付金额与待遇金额不一致",
        "a month was paid with an amount that the benefit never had",
        f"""
        SELECT {PMT} FROM payment WHERE {_MINE} AND item = 'MONTH' AND kind <> 'UNEMPLOYMENT' AND NOT EXISTS (
            SELECT FROM benefit_amount AS amount WHERE amount.benefit_id = payment.benefit_id
               AND {BENEFITS.among("amount.benefit_id")}
               AND amount.from_month <= payment.month
               AND (amount.amount_fen, amount.digest) = (payment.amount_fen, payment.digest))
        UNION ALL
        SELECT {PMT} FROM payment JOIN calculation USING (digest)
        WHERE {_MINE} AND payment.kind = 'UNEMPLOYMENT' AND item = 'MONTH' AND total_fen <> amount_fen
        """,  # noqa: S608 - constant
    ),
    Rule(
        "DIFFERENCE_IS_PAID_ONCE",
        "补差与其支付不一致，或重复支付",
        "a difference and its payment differ, or it was paid twice",
        f"""
        SELECT {key("pmt", "difference.payment_id")} FROM difference
        LEFT JOIN payment ON payment.payment_id = difference.payment_id
        WHERE {BENEFITS.among("difference.benefit_id")} AND difference.payment_id IS NOT NULL
          AND (payment.state IS NULL OR payment.state = 'WITHDRAWN'
               OR (item, payment.benefit_id, payment.amount_fen, payment.digest)
                  <> ('DIFFERENCE', difference.benefit_id, difference.amount_fen, difference.digest))
        UNION ALL
        SELECT {PMT} FROM payment WHERE {_MINE} AND item = 'DIFFERENCE' AND state <> 'WITHDRAWN'
          AND NOT EXISTS (SELECT FROM difference WHERE difference.payment_id = payment.payment_id)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "RETURNED_IS_KEPT",
        "退回的支付未登记，或重发与原支付不一致",
        "a payment came back and is not kept, or what was sent again is not what came back",
        f"""
        SELECT {PMT} FROM payment WHERE {_MINE} AND state = 'RETURNED'
          AND NOT EXISTS (SELECT FROM returned_payment AS back WHERE back.payment_id = payment.payment_id)
        UNION ALL
        SELECT {PMT} FROM returned_payment AS back JOIN payment USING (payment_id)
        WHERE {BENEFITS.among("back.benefit_id")} AND (payment.state <> 'RETURNED'
           OR (back.state = 'SENT') <> EXISTS (
               SELECT FROM payment AS again WHERE again.again_of = payment.payment_id AND again.state <> 'WITHDRAWN'))
        UNION ALL
        SELECT {PMT} FROM payment JOIN payment AS sent ON sent.payment_id = payment.again_of
        WHERE {_MINE} AND payment.state <> 'WITHDRAWN' AND (sent.state <> 'RETURNED'
              OR (sent.benefit_id, sent.month, sent.amount_fen, sent.digest)
                 <> (payment.benefit_id, payment.month, payment.amount_fen, payment.digest))
        """,  # noqa: S608 - constant
    ),
    Rule(
        "HELD_BACK_IS_NOT_PAID",
        "被校验拦截的待遇仍然发放",
        "a benefit that a gate held back was paid by the same payroll",
        f"""
        SELECT {PMT} FROM payroll_finding AS finding JOIN payment USING (payroll_id, benefit_id)
        WHERE {BENEFITS.among("finding.benefit_id")} AND effect = 'BLOCK'
        """,  # noqa: S608 - constant
    ),
    Rule(
        "WITHDRAWN_WAS_NOT_OWED_YET",
        "撤下的支付仍应发放而未重新发放",
        "a payment was withdrawn, is owed and was not paid again",
        f"""
        SELECT {PMT} FROM payment JOIN benefit USING (benefit_id)
        WHERE {_BOTH} AND payment.state = 'WITHDRAWN' AND item = 'MONTH' AND benefit.state = 'ACTIVE'
          AND payment.month <= coalesce(benefit.last_month, payment.month) AND payment.month < next_month
          AND NOT EXISTS (SELECT FROM payment AS later WHERE later.benefit_id = payment.benefit_id
                          AND later.month = payment.month AND later.item = 'MONTH' AND later.state <> 'WITHDRAWN')
          AND NOT EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = payment.benefit_id
                          AND payment.month BETWEEN from_month AND forfeited_through)
        """,  # noqa: S608 - constant
    ),
)
