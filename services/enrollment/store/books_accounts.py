"""Rules of the books about accounts beside the employee pension, premiums on behalf and the money of taken land."""

from chassis.books import Rule
from services.enrollment.store.books_rule import ID, equal

_LEDGER = "(SELECT coalesce(sum(amount_fen), 0) FROM ledger_posting WHERE account = '{}')"
_ACCOUNTS = {120: "government_pension", 170: "resident_pension", 9012: "occupational_annuity"}

ACCOUNT_RULES: tuple[Rule, ...] = (
    Rule(
        "SCHEME_ACCOUNT_IS_ITS_ENTRIES",
        "机关事业、年金或居民个人账户余额与明细不一致",
        "an account of a government post, annuity or resident is not the sum of its entries",
        f"""
        SELECT 'per_' || {ID.format("person_id")} || '/' || scheme AS key FROM scheme_account
        LEFT JOIN scheme_account_entry USING (person_id, scheme)
        GROUP BY person_id, scheme, balance_fen HAVING balance_fen <> coalesce(sum(amount_fen), 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "LEDGER_IS_SCHEME_ACCOUNTS",
        "总账的机关事业、年金或居民个人账户与余额合计不一致",
        "the accounts of a scheme together are not the ledger's account of them",
        " UNION ALL ".join(
            equal(
                f"accounts:{name}",
                f"(SELECT coalesce(sum(balance_fen), 0) FROM scheme_account WHERE scheme = {scheme})",  # noqa: S608 - constant
                _LEDGER.format(f"accounts:{name}"),
            )
            for scheme, name in _ACCOUNTS.items()
        ),
    ),
    Rule(
        "RESIDENT_PAYMENT_IS_CREDITED",
        "城乡居民缴费没有按规定记入个人账户",
        "what was paid for a resident's year is not what the account got by it",
        f"""
        SELECT 'rpy_' || {ID.format("payment_id")} AS key FROM resident_payment AS paid
        LEFT JOIN scheme_account_entry AS entry ON entry.scheme = 170
            AND entry.source = 'payment:rpy_' || {ID.format("payment_id")} AND entry.person_id = paid.person_id
        GROUP BY payment_id, paid_date, tier_fen, subsidy_fen, aid_fen
        HAVING coalesce(sum(entry.amount_fen), 0)
            <> CASE WHEN paid_date IS NULL THEN 0 ELSE tier_fen + subsidy_fen + aid_fen END
        """,  # noqa: S608 - constant
    ),
    Rule(
        "PREMIUM_AID_IS_ITS_PERSONS",
        "代缴资金到账与代缴人员合计不一致",
        "the budget's money for a year is not what was assessed on behalf",
        f"""
        SELECT 'pmr_' || {ID.format("run_id")} AS key FROM premium_aid_receipt
        LEFT JOIN resident_payment ON aid_run_id = run_id
        GROUP BY run_id, amount_fen HAVING amount_fen <> coalesce(sum(on_behalf_fen), 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "LEDGER_IS_PREMIUM_AID",
        "总账的代缴资金与未记账的代缴不一致",
        "the budget's money that waits in the ledger is not that of years which are not credited",
        equal(
            "finance:premium_on_behalf",
            """(SELECT coalesce((SELECT sum(amount_fen) FROM premium_aid_receipt), 0) - coalesce((
                SELECT sum(on_behalf_fen) FROM resident_payment WHERE aid_run_id IS NOT NULL AND paid_date IS NOT NULL
            ), 0))""",
            _LEDGER.format("finance:premium_on_behalf"),
        ),
    ),
    Rule(
        "LAND_ACCOUNT_IS_ITS_ENTRIES",
        "被征地农民资金余额与明细不一致",
        "a farmer's money is not the sum of its entries",
        f"""
        SELECT 'per_' || {ID.format("person_id")} AS key FROM land_account LEFT JOIN land_entry USING (person_id)
        GROUP BY person_id, balance_fen HAVING balance_fen <> coalesce(sum(amount_fen), 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "LAND_BATCH_IS_ITS_SHARES",
        "征地批次到账与名单合计或已记入金额不一致",
        "the money of a list is not that of its people, or not what they got",
        f"""
        SELECT 'lbt_' || {ID.format("batch_id")} AS key FROM land_batch
        LEFT JOIN (SELECT batch_id, sum(amount_fen) AS fen FROM land_share GROUP BY batch_id) AS share USING (batch_id)
        LEFT JOIN (SELECT source, sum(amount_fen) AS fen FROM land_entry GROUP BY source) AS entry
            ON source = 'batch:lbt_' || {ID.format("batch_id")}
        WHERE CASE WHEN paid_date IS NULL THEN entry.fen IS NOT NULL
                   ELSE (received_fen, received_fen) IS DISTINCT FROM (share.fen, entry.fen) END
        """,  # noqa: S608 - constant
    ),
    Rule(
        "LAND_PAYMENT_IS_ITS_USE",
        "被征地农民资金的使用与所缴款项不一致",
        "what a farmer's money paid is not what was received for it",
        f"""
        SELECT coalesce(source, 'use:lus_' || {ID.format("land_use_id")}) AS key
        FROM (SELECT * FROM land_entry WHERE target LIKE 'bil\\_%') AS entry
        FULL JOIN (SELECT * FROM receipt WHERE land_use_id IS NOT NULL) AS paid
            ON source = 'use:lus_' || {ID.format("land_use_id")}
        WHERE -entry.amount_fen IS DISTINCT FROM paid.amount_fen
        """,  # noqa: S608 - constant
    ),
    Rule(
        "LEDGER_IS_LAND_ACCOUNTS",
        "总账的被征地农民资金与余额合计不一致",
        "the money of all farmers together is not the ledger's account of it",
        equal(
            "land:accounts",
            "(SELECT coalesce(sum(balance_fen), 0) FROM land_account)",
            _LEDGER.format("land:accounts"),
        ),
    ),
    Rule(
        "SCHEME_YEAR_IS_BOOKED",
        "居民、机关事业或年金账户年度利息与记账明细不一致",
        "the interest of a closed year of such an account is not what was booked for it",
        f"""
        SELECT 'per_' || {ID.format("person_id")} || '/' || scheme || '/' || year AS key
        FROM scheme_account_year LEFT JOIN (
            SELECT person_id, scheme, source, amount_fen FROM scheme_account_entry WHERE part = 'INTEREST'
        ) AS entry USING (person_id, scheme)
        GROUP BY person_id, scheme, year, interest_fen
        HAVING interest_fen <> coalesce(sum(amount_fen) FILTER (WHERE source = 'year:' || year), 0)
        """,  # noqa: S608 - constant
    ),
    Rule(
        "BRIDGE_IS_ITS_ENTRIES",
        "制度衔接金额与两个账户的记账不一致",
        "what moved between the schemes is not what left one account and came to the other",
        f"""
        SELECT 'brg_' || {ID.format("bridge_id")} AS key FROM pension_bridge
        LEFT JOIN (SELECT person_id, sum(amount_fen) AS fen FROM scheme_account_entry WHERE part = 'BRIDGED'
                   GROUP BY person_id) AS resident USING (person_id)
        LEFT JOIN (SELECT person_id, sum(amount_fen) AS fen FROM account_entry WHERE source LIKE 'bridge:%'
                   GROUP BY person_id) AS employee USING (person_id)
        WHERE (employee.fen, resident.fen) IS DISTINCT FROM CASE direction
            WHEN 'TO_EMPLOYEE' THEN (amount_fen::numeric, -amount_fen::numeric)
            ELSE (-amount_fen::numeric, amount_fen::numeric) END
        """,  # noqa: S608 - constant
    ),
    Rule(
        "RECEIPT_NO_IS_ONE",
        "同一票号既在税务入库中又在单笔到账中",
        "a number is both one of the bureau's receipts and a single one",
        "SELECT receipt_no AS key FROM single_receipt JOIN collected USING (receipt_no)",
    ),
)
