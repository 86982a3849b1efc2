"""What all benefits share: their kinds, amounts from a month on, whose share it is, differences to pay.

A benefit's amount changes with an adjustment or a new computation: `benefit_amount` keeps every one that ever was, and
the amount of a month is the newest of those that begin in it or before. `difference` is what is still owed for months
that were paid before with less.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0003"
down_revision = "0002"

KINDS = (
    "EMPLOYEE_PENSION",
    "UNEMPLOYMENT",
    "GOVERNMENT_PENSION",
    "OCCUPATIONAL_ANNUITY",
    "RESIDENT_PENSION",
    "DISABILITY_ALLOWANCE",
    "INJURY_GRANT",
    "INJURY_ALLOWANCE",
    "INJURY_NURSING",
    "INJURY_MEDICAL_GRANT",
    "INJURY_FUNERAL",
    "INJURY_DEATH_GRANT",
    "INJURY_DEPENDANT",
    "SURVIVOR_FUNERAL",
    "SURVIVOR_GRANT",
    "RESIDENT_FUNERAL",
)
ONE_OFF = (
    "INJURY_GRANT",
    "INJURY_MEDICAL_GRANT",
    "INJURY_FUNERAL",
    "INJURY_DEATH_GRANT",
    "SURVIVOR_FUNERAL",
    "SURVIVOR_GRANT",
    "RESIDENT_FUNERAL",
)
END_REASONS = (
    "EXHAUSTED",
    "REEMPLOYED",
    "RETIRED",
    "DIED",
    "REFUSED_WORK",
    "ENLISTED",
    "EMIGRATED",
    "ENTITLEMENT_LOST",
    "REVOKED",
)


def upgrade() -> None:
    words()
    shares()
    amounts()
    differences()


def words() -> None:
    """Closed lists grow; a life-long benefit is any without a last month."""
    for table in ("calculation", "determination", "benefit", "payment"):
        _words(table, "kind", KINDS)
    _words("benefit", "end_reason", END_REASONS)
    _words("overpayment", "reason", END_REASONS)
    op.execute("ALTER TABLE determination DROP CONSTRAINT determination_check")
    op.execute("ALTER TABLE determination DROP CONSTRAINT determination_check2")
    op.execute("ALTER TABLE determination ADD CONSTRAINT event_first CHECK (event_month <= first_month)")
    op.execute("ALTER TABLE benefit DROP CONSTRAINT benefit_check1")
    op.execute("ALTER TABLE benefit ADD CONSTRAINT ended_has_end CHECK (state <> 'ENDED' OR last_month IS NOT NULL)")
    for table in ("determination", "benefit"):
        op.execute(f"""
            ALTER TABLE {table} ADD CONSTRAINT {table}_runs_out
            CHECK (kind <> 'UNEMPLOYMENT' OR last_month IS NOT NULL)
        """)
        op.execute(f"""
            ALTER TABLE {table} ADD CONSTRAINT {table}_one_off CHECK (
                kind NOT IN ({_list(ONE_OFF)}) OR (last_month IS NOT NULL AND last_month <= first_month))
        """)


def shares() -> None:
    """Several dependants draw from one death, and a person may be injured twice."""
    for table in ("determination", "benefit", "payment"):
        op.execute(f"ALTER TABLE {table} ADD share text NOT NULL DEFAULT ''")
        op.execute(f"COMMENT ON COLUMN {table}.share IS 'which of several of one kind; empty where there is only one'")
    op.execute("DROP INDEX benefit_one_running")
    op.execute("CREATE UNIQUE INDEX benefit_one_running ON benefit (person_id, kind, share) WHERE state <> 'ENDED'")
    op.execute("ALTER TABLE benefit ADD suspended_from first_of_month, ADD suspend_reason text")
    op.execute("""
        ALTER TABLE benefit ADD CONSTRAINT suspended_says_why CHECK (
            (suspended_from IS NULL) = (suspend_reason IS NULL)
            AND (state <> 'SUSPENDED' OR suspended_from IS NOT NULL))
    """)
    grant_app("benefit", "UPDATE (monthly_fen, digest, provisional, payee_id, suspended_from, suspend_reason)")
    op.execute("ALTER TABLE payment ADD item text NOT NULL DEFAULT 'MONTH'")
    op.execute("ALTER TABLE payment ADD CHECK (item IN ('MONTH', 'DIFFERENCE', 'AGAIN'))")
    op.execute("ALTER TABLE payment DROP CONSTRAINT payment_once_per_benefit")
    op.execute("CREATE UNIQUE INDEX payment_once_per_benefit ON payment (benefit_id, month) WHERE item = 'MONTH'")
    op.execute("DROP INDEX payment_once_per_person")
    op.execute("""
        CREATE UNIQUE INDEX payment_once_per_person ON payment (person_id, kind, share, month)
        WHERE item = 'MONTH' AND state <> 'WITHDRAWN'
    """)


def amounts() -> None:
    op.execute("""
        CREATE TABLE benefit_amount (
            benefit_id uuid NOT NULL REFERENCES benefit,
            number integer NOT NULL CHECK (number > 0),
            from_month first_of_month NOT NULL,
            amount_fen fen NOT NULL,
            digest bytea NOT NULL REFERENCES calculation,
            cause text NOT NULL CHECK (cause IN ('DETERMINED', 'ADJUSTED', 'RECOMPUTED', 'REVERSED')),
            cause_id uuid,
            business_date date NOT NULL,
            PRIMARY KEY (benefit_id, number)
        )
    """)
    op.execute("COMMENT ON COLUMN benefit_amount.cause_id IS 'the adjustment or recomputation; null as determined'")
    op.execute("CREATE INDEX benefit_amount_cause ON benefit_amount (cause_id) WHERE cause_id IS NOT NULL")
    op.execute("""
        INSERT INTO benefit_amount (benefit_id, number, from_month, amount_fen, digest, cause, business_date)
        SELECT benefit_id, 1, benefit.first_month, monthly_fen, benefit.digest, 'DETERMINED', decide_date
        FROM benefit JOIN determination USING (determination_id)
    """)
    grant_app("benefit_amount", append_only=True)


def differences() -> None:
    op.execute("""
        CREATE TABLE difference (
            difference_id uuid PRIMARY KEY,
            benefit_id uuid NOT NULL REFERENCES benefit,
            person_id uuid NOT NULL,
            cause text NOT NULL CHECK (cause IN ('ADJUSTED', 'RECOMPUTED')),
            cause_id uuid NOT NULL,
            first_month first_of_month NOT NULL,
            last_month first_of_month NOT NULL CHECK (last_month >= first_month),
            amount_fen fen NOT NULL CHECK (amount_fen > 0),
            digest bytea NOT NULL REFERENCES calculation,
            business_date date NOT NULL,
            payment_id uuid UNIQUE REFERENCES payment,
            withdrawn_date date,
            UNIQUE (benefit_id, cause_id),
            CHECK (payment_id IS NULL OR withdrawn_date IS NULL)
        )
    """)
    op.execute("COMMENT ON COLUMN difference.payment_id IS 'the payment that pays it; null while it waits'")
    op.execute("""
        CREATE INDEX difference_to_pay ON difference (benefit_id) WHERE payment_id IS NULL AND withdrawn_date IS NULL
    """)
    grant_app("difference", "SELECT", "INSERT", "UPDATE (payment_id, withdrawn_date)")


def _words(table: str, column: str, known: tuple[str, ...]) -> None:
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_check")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_check CHECK ({column} IN ({_list(known)}))")


def _list(known: tuple[str, ...]) -> str:
    return ", ".join(f"'{one}'" for one in known)
