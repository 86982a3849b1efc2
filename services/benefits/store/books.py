"""What must be true of benefits, payments and the ledger at every moment: one query per rule.

The one source of these rules: `CheckBenefitBooks`, `hrss reconcile benefits` and the oracle of the tests run them.
Rules of the ledger look only at the kinds of entries that payrolls book, so that other rooms may book beside them;
those join with rules of their own in `RULES`.
"""

from collections.abc import Sequence

from chassis import books
from chassis.books import Finding, Rule, finding
from services.benefits.lifecycle import AFTER_DEATH, FUND_OF, ONE_OFF, Kind
from services.benefits.paying import EXCLUSIONS
from services.benefits.store import keeping_rules, paying, settling

__all__ = ["BY_CODE", "RULES", "Finding", "Rule", "finding", "prove"]

BOOKED = ("payroll", "payment_paid", "payment_returned", "payment_lapsed", "payment_owed_again")


def _key(prefix: str, column: str) -> str:
    return f"'{prefix}_' || replace({column}::text, '-', '') AS key"


def _list(words: Sequence[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


_BEN, _PMT, _PRL, _DET = (
    _key("ben", "benefit.benefit_id"),
    _key("pmt", "payment.payment_id"),
    _key("prl", "payroll.payroll_id"),
    _key("det", "determination.determination_id"),
)
_AFTER_DEATH = _list(sorted(one.value for one in AFTER_DEATH | ONE_OFF))  # grants are earned before they are paid
# Merged records stand under the one that survived.
_ROOT = "coalesce(forward.survivor_id, {}.person_id)"
_NOT_OVERPAID = (
    "NOT EXISTS (SELECT FROM overpayment WHERE overpayment.payment_id = {}.payment_id AND cancelled_date IS NULL)"
)
_STANDS = "{}.state IN ('OPEN', 'CONFIRMED')"
# Kinds that rest on a participation which is heard here; those of other schemes rest on their documents.
SCHEME_OF = {
    Kind.EMPLOYEE_PENSION: "EMPLOYEE_PENSION",
    Kind.DISABILITY_ALLOWANCE: "EMPLOYEE_PENSION",
    Kind.UNEMPLOYMENT: "UNEMPLOYMENT",
}
_RELEASED = """
    SELECT payment.* FROM payment JOIN payroll USING (payroll_id)
    WHERE payroll.state = 'APPROVED' AND payment.state <> 'WITHDRAWN'
"""
_EXPECTED = f"""
    WITH released AS MATERIALIZED ({_RELEASED}),
    fund (kind, account) AS (VALUES {", ".join(f"('{kind}', 'fund:{fund}')" for kind, fund in FUND_OF.items())}),
    expected (account, fen) AS (
        SELECT 'clearing:bank', amount_fen FROM released WHERE state = 'OPEN'
        UNION ALL SELECT 'paid:' || lower(kind), amount_fen FROM released WHERE state = 'CONFIRMED'
        UNION ALL
        SELECT CASE WHEN back.state = 'LAPSED' THEN fund.account ELSE 'returned:' || lower(released.kind) END,
               amount_fen
        FROM released JOIN returned_payment AS back USING (payment_id) JOIN fund USING (kind)
        WHERE released.state = 'RETURNED'
          AND NOT EXISTS (SELECT FROM released AS again WHERE again.again_of = released.payment_id)
        UNION ALL SELECT account, -amount_fen FROM released JOIN fund USING (kind) WHERE item <> 'AGAIN'
    ),
    held AS (
        SELECT account, sum(amount_fen) AS fen FROM ledger_posting JOIN ledger_entry ON id = entry_id
        WHERE kind IN ({_list(BOOKED)}) GROUP BY account
    )
"""  # noqa: S608 - constant

RULES: tuple[Rule, ...] = (
    Rule(
        "BENEFIT_IS_DETERMINED",
        "待遇没有已复核的核定，或与核定不一致",
        "a benefit without an approved determination, or another than was determined",
        f"""
        SELECT {_BEN} FROM benefit LEFT JOIN determination USING (determination_id)
        LEFT JOIN benefit_amount AS first ON first.benefit_id = benefit.benefit_id AND number = 1
        WHERE (determination.state, determination.person_id, determination.kind, determination.share,
               determination.digest, determination.digest)
            IS DISTINCT FROM ('APPROVED', benefit.person_id, benefit.kind, benefit.share, first.digest, first.digest)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "DETERMINATION_IS_A_BENEFIT",
        "已复核的核定没有待遇",
        "an approved determination without a benefit",
        f"""
        SELECT {_DET} FROM determination LEFT JOIN benefit USING (determination_id)
        WHERE determination.state = 'APPROVED' AND benefit_id IS NULL
        """,  # noqa: S608 - constant
    ),
    Rule(
        "BENEFIT_HAS_ITS_NEWEST_AMOUNT",
        "待遇金额不是最近一次确定的金额",
        "a benefit has another amount than its newest",
        f"""
        SELECT {_BEN} FROM benefit LEFT JOIN LATERAL (
            SELECT amount_fen, digest FROM benefit_amount AS one
            WHERE one.benefit_id = benefit.benefit_id
              AND (number = 1 OR cause <> 'DETERMINED')  -- a determined last month may differ
            ORDER BY number DESC LIMIT 1
        ) AS newest ON true
        WHERE (newest.amount_fen, newest.digest) IS DISTINCT FROM (benefit.monthly_fen, benefit.digest)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "TWO_PERSONS_DECIDED",
        "核定或发放批次未经两人办理",
        "approved without an executed approval of the same two persons",
        f"""
        SELECT {_DET} FROM determination LEFT JOIN approval ON approval.id = approval_id
        WHERE determination.state = 'APPROVED'
          AND (approval.state, maker_person, checker_person) IS DISTINCT FROM ('EXECUTED', maker, checker)
        UNION ALL
        SELECT {_PRL} FROM payroll LEFT JOIN approval ON approval.id = approval_id
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
        SELECT {_key("per", "person_id")} FROM benefit WHERE state <> 'ENDED'
        GROUP BY person_id, kind, share HAVING count(*) > 1
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAYMENT_IS_OF_ITS_BENEFIT",
        "支付与待遇的人员、种类或收款人不一致",
        "a payment of another person, kind or share than its benefit, or to a payee of somebody else",
        f"""
        SELECT {_PMT} FROM payment JOIN benefit USING (benefit_id) JOIN payee ON payee.payee_id = payment.payee_id
        WHERE (payment.person_id, payment.kind, payment.share) <> (benefit.person_id, benefit.kind, benefit.share)
           OR payee.person_id <> benefit.person_id
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PARTICIPATION_STANDS_BEHIND",
        "支付没有参保关系或缴费记录",
        "a payment of a kind that rests on contributions, without a participation or contributions",
        f"""
        WITH known (root, scheme) AS (
            SELECT {_ROOT.format("one")}, scheme FROM (
                SELECT person_id, scheme FROM participation UNION SELECT person_id, scheme FROM contribution_year
            ) AS one LEFT JOIN forward USING (person_id)
        )
        SELECT {_BEN} FROM (
            SELECT DISTINCT benefit_id, person_id, kind FROM payment WHERE state <> 'WITHDRAWN'
        ) AS benefit
        JOIN (VALUES {", ".join(f"('{kind}', '{scheme}')" for kind, scheme in SCHEME_OF.items())})
          AS needed (kind, scheme) USING (kind)
        LEFT JOIN forward USING (person_id)
        WHERE NOT EXISTS (SELECT FROM known WHERE root = {_ROOT.format("benefit")} AND known.scheme = needed.scheme)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAYEE_WAS_ALIVE",
        "支付或待遇延续到死亡月份之后",
        "a payment for a month after a death that nobody wrote down as overpaid, or a benefit that runs past a death",
        f"""
        WITH death AS (
            SELECT {_ROOT.format("one")} AS root, min(month) AS died FROM (
                SELECT person_id, died_month AS month FROM person WHERE died_month IS NOT NULL
                UNION ALL SELECT person_id, end_month FROM participation WHERE end_reason = 'DIED'
            ) AS one LEFT JOIN forward USING (person_id) GROUP BY 1
        )
        SELECT {_PMT} FROM payment LEFT JOIN forward USING (person_id) JOIN death ON root = {_ROOT.format("payment")}
        WHERE payment.month > died AND {_STANDS.format("payment")} AND kind NOT IN ({_AFTER_DEATH})
          AND {_NOT_OVERPAID.format("payment")}
        UNION ALL
        SELECT {_BEN} FROM benefit LEFT JOIN forward USING (person_id) JOIN death ON root = {_ROOT.format("benefit")}
        WHERE state <> 'ENDED' AND coalesce(last_month > died, true) AND kind NOT IN ({_AFTER_DEATH})
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAYMENT_IS_INSIDE_ITS_BENEFIT",
        "支付在待遇起止月份之外且未登记多发",
        "a payment before the start of its benefit, or after its end and nobody wrote it down as overpaid",
        f"""
        SELECT {_PMT} FROM payment JOIN benefit USING (benefit_id)
        WHERE payment.month < benefit.first_month
           OR (payment.month > benefit.last_month AND {_STANDS.format("payment")}
               AND (item <> 'DIFFERENCE' OR payment.month > benefit.first_month)  -- one that never began gives back
               AND {_NOT_OVERPAID.format("payment")})
        """,  # noqa: S608 - constant
    ),
    Rule(
        "OVERPAYMENT_CAME_BACK_OR_NOT",
        "多发登记与银行退回不一致",
        "an overpayment is recovered although the money came back, or settled although it did not",
        f"""
        SELECT {_PMT} FROM overpayment JOIN payment USING (payment_id)
        WHERE (payment.state = 'RETURNED') <> (settled_date IS NOT NULL) AND cancelled_date IS NULL
        """,  # noqa: S608 - constant
    ),
    Rule(
        "MONTH_IS_PAID_ONCE",
        "同一月份重复支付",
        "a month of a benefit or of a person is paid twice",
        f"""
        SELECT {_key("ben", "benefit_id")} FROM payment WHERE item = 'MONTH' AND state <> 'WITHDRAWN'
        GROUP BY benefit_id, month HAVING count(*) > 1
        UNION ALL
        SELECT {_key("per", "person_id")} FROM payment WHERE item = 'MONTH' AND state <> 'WITHDRAWN'
        GROUP BY person_id, kind, share, month HAVING count(*) > 1
        """,  # noqa: S608 - constant
    ),
    Rule(
        "NEXT_MONTH_FOLLOWS",
        "下一发放月份与已发月份不衔接",
        "the next month of a benefit lies before one that was paid",
        f"""
        SELECT {_BEN} FROM benefit JOIN payment USING (benefit_id)
        WHERE item = 'MONTH' AND payment.state <> 'WITHDRAWN' AND month >= next_month
          AND NOT EXISTS (SELECT FROM payment AS left_one WHERE left_one.benefit_id = benefit.benefit_id
                          AND left_one.month = next_month AND left_one.state = 'WITHDRAWN')
        """,  # noqa: S608 - constant
    ),
    Rule(
        "NO_MONTH_IS_LEFT_OUT",
        "中间月份漏发",
        "a month of a benefit was left out, though no suspension took it away",
        f"""
        SELECT {_BEN} FROM benefit LEFT JOIN (
            SELECT benefit_id, count(DISTINCT month) AS months FROM (
                SELECT benefit_id, month FROM payment JOIN benefit USING (benefit_id)
                WHERE item = 'MONTH' AND (payment.state <> 'WITHDRAWN' OR month > last_month) AND month < next_month
                UNION ALL
                SELECT benefit_id, month::date FROM suspension
                CROSS JOIN generate_series(from_month, forfeited_through, interval '1 month') AS month
                WHERE forfeited_through IS NOT NULL
            ) AS one GROUP BY benefit_id
        ) AS stands USING (benefit_id)
        WHERE coalesce(months, 0) <> (extract(year FROM next_month) - extract(year FROM first_month)) * 12
                                    + extract(month FROM next_month) - extract(month FROM first_month)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "KINDS_EXCLUDE_EACH_OTHER",
        "同一月份领取了相互排斥的待遇",
        "a person draws two benefits for one month that exclude each other",
        f"""
        WITH rule (gives_way, kept) AS (
            VALUES {", ".join(f"('{rule.gives_way}', '{rule.to}')" for rule in EXCLUSIONS)}
        ),
        paid AS MATERIALIZED (
            SELECT payment_id, kind, month, {_ROOT.format("payment")} AS root
            FROM payment LEFT JOIN forward USING (person_id)
            WHERE item = 'MONTH' AND {_STANDS.format("payment")} AND {_NOT_OVERPAID.format("payment")}
        )
        SELECT {_key("pmt", "one.payment_id")} FROM paid AS one JOIN rule ON gives_way = one.kind
        JOIN paid AS other ON other.kind = kept AND other.month = one.month AND other.root = one.root
        """,  # noqa: S608 - constant
    ),
    Rule(
        "AMOUNT_IS_THE_BENEFITS",
        "支付金额与待遇金额不一致",
        "a month was paid with an amount that the benefit never had",
        f"""
        SELECT {_PMT} FROM payment WHERE item = 'MONTH' AND kind <> 'UNEMPLOYMENT' AND NOT EXISTS (
            SELECT FROM benefit_amount AS amount WHERE amount.benefit_id = payment.benefit_id
               AND amount.from_month <= payment.month
               AND (amount.amount_fen, amount.digest) = (payment.amount_fen, payment.digest))
        UNION ALL
        SELECT {_PMT} FROM payment JOIN calculation USING (digest)
        WHERE payment.kind = 'UNEMPLOYMENT' AND item = 'MONTH' AND total_fen <> amount_fen
        """,  # noqa: S608 - constant
    ),
    Rule(
        "DIFFERENCE_IS_PAID_ONCE",
        "补差与其支付不一致，或重复支付",
        "a difference and its payment differ, or it was paid twice",
        f"""
        SELECT {_PMT} FROM payment FULL JOIN difference USING (payment_id)
        WHERE (difference.payment_id IS NOT NULL AND (payment.state IS NULL OR payment.state = 'WITHDRAWN'
                 OR (item, payment.benefit_id, payment.amount_fen, payment.digest)
                    <> ('DIFFERENCE', difference.benefit_id, difference.amount_fen, difference.digest)))
           OR (item = 'DIFFERENCE' AND payment.state <> 'WITHDRAWN' AND difference_id IS NULL)
        """.replace("payment.payment_id::text", "payment_id::text"),  # noqa: S608 - constant
    ),
    Rule(
        "RETURNED_IS_KEPT",
        "退回的支付未登记，或重发与原支付不一致",
        "a payment came back and is not kept, or what was sent again is not what came back",
        f"""
        SELECT {_PMT} FROM payment LEFT JOIN returned_payment AS back USING (payment_id)
        WHERE (payment.state = 'RETURNED') <> (back.payment_id IS NOT NULL)
           OR (back.state = 'SENT') <> EXISTS (
               SELECT FROM payment AS again WHERE again.again_of = payment.payment_id AND again.state <> 'WITHDRAWN')
        UNION ALL
        SELECT {_key("pmt", "again.payment_id")} FROM payment AS again
        JOIN payment AS sent ON sent.payment_id = again.again_of
        WHERE again.state <> 'WITHDRAWN' AND (sent.state <> 'RETURNED'
              OR (sent.benefit_id, sent.month, sent.amount_fen, sent.digest)
                 <> (again.benefit_id, again.month, again.amount_fen, again.digest))
        """.replace("payment.payment_id::text", "payment_id::text", 1),  # noqa: S608 - constant
    ),
    Rule(
        "HELD_BACK_IS_NOT_PAID",
        "被校验拦截的待遇仍然发放",
        "a benefit that a gate held back was paid by the same payroll",
        f"""
        SELECT {_PMT} FROM payment JOIN payroll_finding AS finding USING (payroll_id, benefit_id)
        WHERE effect = 'BLOCK'
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAYROLL_IS_ITS_PAYMENTS",
        "发放批次与支付合计不一致",
        "a payroll does not add up",
        f"""
        SELECT {_PRL} FROM payroll LEFT JOIN payment ON payment.payroll_id = payroll.payroll_id
          AND payment.state <> 'WITHDRAWN'
        WHERE payroll.state <> 'PREPARING' GROUP BY payroll.payroll_id
        HAVING payment_count <> count(payment_id) OR total_fen <> coalesce(sum(amount_fen), 0)
          OR confirmed_count <> count(*) FILTER (WHERE payment.state = 'CONFIRMED')
          OR returned_count <> count(*) FILTER (WHERE payment.state = 'RETURNED')
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAYROLL_IS_ITS_CHUNKS",
        "发放批次的摘要与分段或支付不一致",
        "the digest of a payroll is not that of its chunks, or a chunk is not its payments and findings",
        f"""
        SELECT {_PRL} FROM payroll LEFT JOIN payroll_chunk USING (payroll_id) LEFT JOIN (
          SELECT payroll_id, sha256(string_agg(part, ''::bytea ORDER BY payment_id)) AS held
          FROM ({paying.DEDUCED}) AS deduced GROUP BY payroll_id
        ) AS deduced USING (payroll_id)
        WHERE state <> 'PREPARING' AND chunk IS DISTINCT FROM 0 GROUP BY payroll.payroll_id, held
        HAVING payroll.digest <> sha256(
          coalesce(string_agg(payroll_chunk.digest, ''::bytea ORDER BY chunk), ''::bytea) || coalesce(held, ''::bytea))
        UNION ALL
        SELECT {_key("prl", "kept.payroll_id")} || '/' || chunk FROM payroll_chunk AS kept
        JOIN ({paying.ALL_CHUNKS}) AS made USING (payroll_id, chunk)
        WHERE (payment_count, total_fen, finding_count, kept.digest)
              IS DISTINCT FROM (payments::integer, fen, findings::integer, made.digest)
        """.replace(" AS key || '/' || chunk", " || '/' || chunk AS key"),  # noqa: S608 - constant
    ),
    Rule(
        "ANSWERED_WAS_RELEASED",
        "未复核批次的支付已有银行回盘",
        "an answered payment of a payroll that was not approved",
        f"""
        SELECT {_PMT} FROM payment JOIN payroll USING (payroll_id)
        WHERE payment.state IN ('CONFIRMED', 'RETURNED') AND payroll.state <> 'APPROVED'
        """,  # noqa: S608 - constant
    ),
    Rule(
        "WITHDRAWN_WAS_NOT_OWED_YET",
        "撤下的支付仍应发放而未重新发放",
        "a payment was withdrawn, is owed and was not paid again",
        f"""
        SELECT {_PMT} FROM payment JOIN benefit USING (benefit_id)
        WHERE payment.state = 'WITHDRAWN' AND item = 'MONTH' AND benefit.state = 'ACTIVE'
          AND payment.month <= coalesce(benefit.last_month, payment.month) AND payment.month < next_month
          AND NOT EXISTS (SELECT FROM payment AS later WHERE later.benefit_id = payment.benefit_id
                          AND later.month = payment.month AND later.item = 'MONTH' AND later.state <> 'WITHDRAWN')
          AND NOT EXISTS (SELECT FROM suspension WHERE suspension.benefit_id = payment.benefit_id
                          AND payment.month BETWEEN from_month AND forfeited_through)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PAID_IS_WHAT_IS_OWED",
        "应发与实发、在途、待补、追回之和不一致",
        "what was paid, waits or is recovered of a benefit is not what was owed",
        f"""
        SELECT {_key("ben", "benefit_id")} FROM ({settling.balances("true")}) AS one WHERE balance <> 0
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
    *keeping_rules.RULES,
)
BY_CODE = {rule.code: rule for rule in RULES}


async def prove(database_url: str) -> Sequence[Finding]:
    """Every rule that does not hold, all of them at one moment, whatever is booked meanwhile."""
    return await books.prove(database_url, RULES)
