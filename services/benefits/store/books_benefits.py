"""What must be true of benefits and the persons behind them: one query per rule, which finds what breaks it."""

from chassis.books import Rule
from services.benefits.lifecycle import AFTER_DEATH, ONE_OFF, Kind
from services.benefits.paying import EXCLUSIONS
from services.benefits.store import paying_gates, settling
from services.benefits.store.books_words import (
    BEN,
    BENEFITS,
    DET,
    NOT_OVERPAID,
    PMT,
    PRL,
    ROOT,
    STANDS,
    found,
    key,
    kin,
    listed,
)

_MINE = BENEFITS.among("benefit.benefit_id")
_AFTER_DEATH = listed(sorted(one.value for one in AFTER_DEATH | ONE_OFF))  # grants are earned before they are paid
# Kinds that rest on a participation which is heard here; those of other schemes rest on their documents.
SCHEME_OF = {
    Kind.EMPLOYEE_PENSION: "EMPLOYEE_PENSION",
    Kind.DISABILITY_ALLOWANCE: "EMPLOYEE_PENSION",
    Kind.UNEMPLOYMENT: "UNEMPLOYMENT",
}
_DIED = f"""
    SELECT benefit.*, died FROM benefit LEFT JOIN forward USING (person_id) CROSS JOIN LATERAL (
        SELECT min(month) AS died FROM (
            SELECT died_month AS month FROM {kin(ROOT.format("benefit"))} AS one JOIN person USING (person_id)
            WHERE died_month IS NOT NULL
            UNION ALL
            SELECT end_month FROM {kin(ROOT.format("benefit"))} AS one JOIN participation USING (person_id)
            WHERE end_reason = 'DIED'
        ) AS heard
    ) AS death WHERE {_MINE} AND died IS NOT NULL AND kind NOT IN ({_AFTER_DEATH})
"""  # noqa: S608 - constant

RULES: tuple[Rule, ...] = (
    Rule(
        "BENEFIT_IS_DETERMINED",
        "待遇没有已复核的核定，或与核定不一致",
        "a benefit without an approved determination, or another than was determined",
        f"""
        SELECT {BEN} FROM benefit
        LEFT JOIN {found("determination", "determination_id", "benefit.determination_id")} ON true
        LEFT JOIN benefit_amount AS first ON first.benefit_id = benefit.benefit_id AND number = 1
          AND {BENEFITS.among("first.benefit_id")}
        WHERE {_MINE} AND (determination.state, determination.person_id, determination.kind, determination.share,
                           determination.digest, determination.digest)
            IS DISTINCT FROM ('APPROVED', benefit.person_id, benefit.kind, benefit.share, first.digest, first.digest)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "DETERMINATION_IS_A_BENEFIT",
        "已复核的核定没有待遇",
        "an approved determination without a benefit",
        f"""
        SELECT {DET} FROM determination LEFT JOIN benefit USING (determination_id)
        WHERE determination.state = 'APPROVED' AND benefit_id IS NULL
        """,  # noqa: S608 - constant
    ),
    Rule(
        "BENEFIT_HAS_ITS_NEWEST_AMOUNT",
        "待遇金额不是最近一次确定的金额",
        "a benefit has another amount than its newest",
        f"""
        SELECT {BEN} FROM benefit LEFT JOIN LATERAL (
            SELECT amount_fen, digest FROM benefit_amount AS one
            WHERE one.benefit_id = benefit.benefit_id
              AND (number = 1 OR cause <> 'DETERMINED')  -- a determined last month may differ
            ORDER BY number DESC LIMIT 1
        ) AS newest ON true
        WHERE {_MINE} AND (newest.amount_fen, newest.digest) IS DISTINCT FROM (benefit.monthly_fen, benefit.digest)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "TWO_PERSONS_DECIDED",
        "核定或发放批次未经两人办理",
        "approved without an executed approval of the same two persons",
        f"""
        SELECT {DET} FROM determination LEFT JOIN approval ON approval.id = approval_id
        WHERE determination.state = 'APPROVED'
          AND (approval.state, maker_person, checker_person) IS DISTINCT FROM ('EXECUTED', maker, checker)
        UNION ALL
        SELECT {PRL} FROM payroll LEFT JOIN approval ON approval.id = approval_id
        WHERE payroll.state = 'APPROVED'
          AND ((approval.state, maker_person, checker_person) IS DISTINCT FROM ('EXECUTED', maker, checker)
               OR payload_hash <> sha256(digest))
        """,  # noqa: S608 - constant
    ),
    Rule(
        "ONE_RUNNING_BENEFIT",
        "同一人同一待遇在领两份",
        "two running benefits of one kind",
        f"""
        SELECT {key("per", "person_id")} FROM benefit WHERE state <> 'ENDED'
        GROUP BY person_id, kind, share HAVING count(*) > 1
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PARTICIPATION_STANDS_BEHIND",
        "支付没有参保关系或缴费记录",
        "a payment of a kind that rests on contributions, without a participation or contributions",
        f"""
        SELECT {BEN} FROM benefit
        JOIN (VALUES {", ".join(f"('{kind}', '{scheme}')" for kind, scheme in SCHEME_OF.items())})
          AS needed (kind, scheme) USING (kind)
        LEFT JOIN forward USING (person_id)
        WHERE {_MINE}
          AND EXISTS (SELECT FROM payment WHERE payment.benefit_id = benefit.benefit_id AND state <> 'WITHDRAWN')
          AND NOT EXISTS (
              SELECT FROM {kin(ROOT.format("benefit"))} AS one JOIN participation USING (person_id)
              WHERE participation.scheme = needed.scheme)
          AND NOT EXISTS (
              SELECT FROM {kin(ROOT.format("benefit"))} AS one JOIN contribution_year USING (person_id)
              WHERE contribution_year.scheme = needed.scheme)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAYEE_WAS_ALIVE",
        "支付或待遇延续到死亡月份之后",
        "a payment for a month after a death that nobody wrote down as overpaid, or a benefit that runs past a death",
        f"""
        SELECT {PMT} FROM ({_DIED}) AS benefit JOIN payment USING (benefit_id)
        WHERE payment.month > died AND {STANDS.format("payment")} AND {NOT_OVERPAID.format("payment")}
        UNION ALL
        SELECT {BEN} FROM ({_DIED}) AS benefit WHERE state <> 'ENDED' AND coalesce(last_month > died, true)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "NEXT_MONTH_FOLLOWS",
        "下一发放月份与已发月份不衔接",
        "the next month of a benefit lies before one that was paid",
        f"""
        SELECT {BEN} FROM benefit JOIN payment USING (benefit_id)
        WHERE {_MINE} AND item = 'MONTH' AND payment.state <> 'WITHDRAWN' AND month >= next_month
          AND NOT EXISTS (SELECT FROM payment AS left_one WHERE left_one.benefit_id = benefit.benefit_id
                          AND left_one.month = next_month AND left_one.state = 'WITHDRAWN')
        """,  # noqa: S608 - constant
    ),
    Rule(
        "NO_MONTH_IS_LEFT_OUT",
        "中间月份漏发",
        "a month of a benefit was left out, though no suspension took it away",
        f"""
        SELECT {BEN} FROM benefit LEFT JOIN (
            SELECT benefit_id, count(DISTINCT month) AS months FROM (
                SELECT benefit_id, month FROM payment JOIN benefit USING (benefit_id)
                WHERE {_MINE} AND {BENEFITS.among("payment.benefit_id")}
                  AND item = 'MONTH' AND (payment.state <> 'WITHDRAWN' OR month > last_month) AND month < next_month
                UNION ALL
                SELECT benefit_id, month::date FROM suspension
                CROSS JOIN generate_series(from_month, forfeited_through, interval '1 month') AS month
                WHERE {BENEFITS.among("suspension.benefit_id")} AND forfeited_through IS NOT NULL
            ) AS one GROUP BY benefit_id
        ) AS stands USING (benefit_id)
        WHERE {_MINE} AND coalesce(months, 0)
                        <> (extract(year FROM next_month) - extract(year FROM first_month)) * 12
                        + extract(month FROM next_month) - extract(month FROM first_month)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "KINDS_EXCLUDE_EACH_OTHER",
        "同一月份领取了相互排斥的待遇",
        "a person draws two benefits for one month that exclude each other",
        f"""
        SELECT {key("pmt", "one.payment_id")} FROM benefit
        JOIN (VALUES {", ".join(f"('{rule.gives_way}', '{rule.to}', '{rule.unless}')" for rule in EXCLUSIONS)})
          AS rule (gives_way, kept, unless) ON gives_way = benefit.kind
          AND NOT {paying_gates.reckons("benefit.benefit_id", "unless")}
        LEFT JOIN forward USING (person_id)
        CROSS JOIN LATERAL {kin(ROOT.format("benefit"))} AS own
        JOIN benefit AS beside ON beside.person_id = own.person_id AND beside.kind = kept
        JOIN payment AS one ON one.benefit_id = benefit.benefit_id
        JOIN payment AS other ON other.benefit_id = beside.benefit_id AND other.month = one.month
        WHERE {_MINE} AND one.item = 'MONTH' AND other.item = 'MONTH'
          AND {STANDS.format("one")} AND {STANDS.format("other")}
          AND {NOT_OVERPAID.format("one")} AND {NOT_OVERPAID.format("other")}
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAID_IS_WHAT_IS_OWED",
        "应发与实发、在途、待补、追回之和不一致",
        "what was paid, waits or is recovered of a benefit is not what was owed",
        f"""
        SELECT {key("ben", "benefit_id")} FROM ({settling.balances(BENEFITS.among)}) AS one WHERE balance <> 0
        """,  # noqa: S608 - constant
    ),
)
