"""Money that came in without a bill, refunds, arrears and differences.

Every receipt of the bureau stands once in `collected`, whatever became of it: on bills (`receipt`), on demands
(`demand_receipt`) or on the suspense account (`suspense`). Money that leaves the suspense account for a bill or a
demand makes a receipt that names it. Only what is left, what is paid and the states change; everything else is
append-only.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    collected()
    demands()
    differences()
    plans()
    refunds()
    files()
    accounts()


def collected() -> None:
    op.execute("""
        CREATE TABLE collected (
            receipt_no text COLLATE "C" PRIMARY KEY CHECK (receipt_no ~ '^[0-9A-Za-z-]{4,40}$'),
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            paid_date date NOT NULL,
            employer_id uuid REFERENCES employer,       -- the payer, when the register knows it
            document text COLLATE "C" NOT NULL,         -- what the bureau says was paid, as it says it
            simulated boolean NOT NULL,
            source text COLLATE "C" NOT NULL,           -- "call" or "file:<digest>:<line>"
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX collected_day ON collected (paid_date)")
    op.execute("""
        INSERT INTO collected (receipt_no, amount_fen, paid_date, employer_id, document, simulated, source)
        SELECT receipt_no, amount_fen, paid_date, employer_id, 'bil_' || replace(bill_id::text, '-', ''), simulated,
               'call'
        FROM receipt JOIN bill USING (bill_id)
    """)
    grant_app("collected", append_only=True)
    op.execute("""
        CREATE TABLE suspense (
            suspense_id uuid PRIMARY KEY,
            receipt_no text COLLATE "C" REFERENCES collected,
            difference_id uuid,                          -- a credit of lower limits instead of a receipt
            employer_id uuid REFERENCES employer,
            reason text NOT NULL CHECK (reason IN
                ('OVERPAID', 'BILL_UNKNOWN', 'PAYER_UNKNOWN', 'PAYER_DIFFERS', 'PAID_EARLY', 'PLAN', 'DIFFERENCE')),
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            left_fen bigint NOT NULL CHECK (left_fen BETWEEN 0 AND amount_fen),
            state text NOT NULL CHECK (state IN ('OPEN', 'MATCHED', 'RETURNED')),
            paid_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            CHECK ((receipt_no IS NULL) <> (difference_id IS NULL)),
            CHECK ((state = 'OPEN') = (left_fen > 0))
        )
    """)
    op.execute("CREATE INDEX suspense_open ON suspense (state, suspense_id)")
    op.execute("CREATE INDEX suspense_employer ON suspense (employer_id) WHERE state = 'OPEN'")
    grant_app("suspense", "SELECT", "INSERT", "UPDATE (left_fen, state)")
    op.execute("ALTER TABLE receipt ADD COLUMN suspense_id uuid REFERENCES suspense")
    op.execute("ALTER TABLE bill ADD COLUMN due_date date")
    op.execute("CREATE INDEX bill_open ON bill (employer_id) WHERE state <> 'PAID'")
    op.execute("CREATE INDEX bill_month ON bill (month, bill_id)")
    grant_app("bill", "UPDATE (due_date)")


def demands() -> None:
    op.execute("""
        CREATE TABLE demand (
            demand_id uuid PRIMARY KEY,
            employer_id uuid NOT NULL REFERENCES employer,
            kind text NOT NULL CHECK (kind IN ('LATE_FEE', 'DIFFERENCE')),
            bill_id uuid NOT NULL REFERENCES bill,
            difference_id uuid UNIQUE,
            state text NOT NULL CHECK (state IN ('ISSUED', 'PART_PAID', 'PAID')),
            pension_fen bigint NOT NULL,
            unemployment_fen bigint NOT NULL,
            injury_fen bigint NOT NULL,
            total_fen bigint NOT NULL CHECK (total_fen > 0),
            paid_fen bigint NOT NULL DEFAULT 0 CHECK (paid_fen BETWEEN 0 AND total_fen),
            statement jsonb,                -- of a late fee; the lines of a difference explain themselves
            policy_version text NOT NULL,
            assess_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            CHECK (total_fen = pension_fen + unemployment_fen + injury_fen),
            CHECK ((kind = 'DIFFERENCE') = (difference_id IS NOT NULL)),
            CHECK (state = CASE WHEN paid_fen = total_fen THEN 'PAID' WHEN paid_fen > 0 THEN 'PART_PAID'
                                ELSE 'ISSUED' END)
        )
    """)
    op.execute("CREATE UNIQUE INDEX demand_one_late_fee ON demand (bill_id) WHERE kind = 'LATE_FEE'")
    op.execute("CREATE INDEX demand_employer ON demand (employer_id)")
    grant_app("demand", "SELECT", "INSERT", "UPDATE (state, paid_fen)")
    op.execute("""
        CREATE TABLE demand_receipt (
            receipt_id uuid PRIMARY KEY,
            receipt_no text COLLATE "C" NOT NULL UNIQUE,
            demand_id uuid NOT NULL REFERENCES demand,
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            paid_date date NOT NULL,
            suspense_id uuid REFERENCES suspense,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX demand_receipt_demand ON demand_receipt (demand_id)")
    grant_app("demand_receipt", append_only=True)


def differences() -> None:
    amounts = """
            pension_employer_fen bigint NOT NULL,
            pension_employee_fen bigint NOT NULL,
            unemployment_employer_fen bigint NOT NULL,
            unemployment_employee_fen bigint NOT NULL,
            injury_employer_fen bigint NOT NULL,
            account_fen bigint NOT NULL,
    """
    op.execute(f"""
        CREATE TABLE difference (
            difference_id uuid PRIMARY KEY,
            bill_id uuid NOT NULL REFERENCES bill,
            number integer NOT NULL CHECK (number > 0),      -- limits may become final more than once
            employer_id uuid NOT NULL,
            month date NOT NULL CHECK (extract(day FROM month) = 1),
            state text NOT NULL CHECK (state IN ('WAITING', 'SETTLED')),
            person_count bigint NOT NULL CHECK (person_count > 0),
            {amounts}
            total_fen bigint NOT NULL,
            credited_fen bigint NOT NULL DEFAULT 0,          -- what the accounts took when it was settled
            withheld_fen bigint NOT NULL DEFAULT 0,          -- shares of accounts that were settled before
            terms jsonb NOT NULL,                            -- those of the bill with the final limits
            policy_version text NOT NULL,
            assess_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            UNIQUE (bill_id, number)
        )
    """)
    op.execute("CREATE INDEX difference_waiting ON difference (bill_id) WHERE state = 'WAITING'")
    grant_app("difference", "SELECT", "INSERT", "UPDATE (state, credited_fen, withheld_fen)")
    op.execute(f"""
        CREATE TABLE difference_line (
            difference_id uuid NOT NULL REFERENCES difference,
            person_id uuid NOT NULL,
            month date NOT NULL CHECK (extract(day FROM month) = 1),
            wage_fen bigint NOT NULL,
            base_before_fen bigint NOT NULL,
            base_fen bigint NOT NULL CHECK (base_fen <> base_before_fen),
            {amounts}
            PRIMARY KEY (difference_id, person_id)
        )
    """)
    op.execute("CREATE INDEX difference_line_person ON difference_line (person_id, month)")
    grant_app("difference_line", append_only=True)


def plans() -> None:
    op.execute("""
        CREATE TABLE instalment_plan (
            plan_id uuid PRIMARY KEY,
            employer_id uuid NOT NULL REFERENCES employer,
            state text NOT NULL CHECK (state IN ('PREPARED', 'AGREED', 'REJECTED')),
            total_fen bigint NOT NULL CHECK (total_fen > 0),
            reason text NOT NULL,
            approval_id uuid NOT NULL,
            prepare_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE UNIQUE INDEX instalment_plan_one ON instalment_plan (employer_id) WHERE state = 'PREPARED'")
    grant_app("instalment_plan", "SELECT", "INSERT", "UPDATE (state)")
    op.execute("""
        CREATE TABLE instalment (
            plan_id uuid NOT NULL REFERENCES instalment_plan,
            number integer NOT NULL CHECK (number > 0),
            due_date date NOT NULL,
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            PRIMARY KEY (plan_id, number)
        )
    """)
    grant_app("instalment", append_only=True)
    op.execute("""
        CREATE TABLE instalment_item (
            plan_id uuid NOT NULL REFERENCES instalment_plan,
            document text COLLATE "C" NOT NULL,      -- "bil_…" or "dem_…"
            open_fen bigint NOT NULL CHECK (open_fen > 0),
            paid_before_fen bigint NOT NULL CHECK (paid_before_fen >= 0),
            PRIMARY KEY (plan_id, document)
        )
    """)
    grant_app("instalment_item", append_only=True)


def refunds() -> None:
    op.execute("""
        CREATE TABLE refund (
            refund_id uuid PRIMARY KEY,
            kind text NOT NULL CHECK (kind IN ('SUSPENSE', 'WITHHELD')),
            suspense_id uuid REFERENCES suspense,
            employer_id uuid REFERENCES employer,    -- none where nobody knows the payer: back the way it came
            person_id uuid REFERENCES person,        -- whose withheld shares
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            state text NOT NULL CHECK (state IN ('PREPARED', 'ORDERED', 'REJECTED', 'CONFIRMED', 'RETURNED')),
            reason text NOT NULL,
            approval_id uuid NOT NULL,
            reference text COLLATE "C" UNIQUE,       -- of the bureau that paid it back
            simulated boolean NOT NULL DEFAULT false,
            prepare_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            CHECK ((kind = 'SUSPENSE') = (suspense_id IS NOT NULL)),
            CHECK ((kind = 'WITHHELD') = (person_id IS NOT NULL)),
            CHECK ((reference IS NOT NULL) = (state IN ('CONFIRMED', 'RETURNED')))
        )
    """)
    op.execute("CREATE INDEX refund_state ON refund (state, refund_id)")
    op.execute("CREATE INDEX refund_suspense ON refund (suspense_id) WHERE suspense_id IS NOT NULL")
    op.execute("CREATE INDEX refund_person ON refund (person_id) WHERE person_id IS NOT NULL")
    grant_app("refund", "SELECT", "INSERT", "UPDATE (state, reference, simulated)")


def files() -> None:
    op.execute("""
        CREATE TABLE bill_file (
            file_id uuid PRIMARY KEY,
            month date NOT NULL CHECK (extract(day FROM month) = 1),
            upload_id text NOT NULL,
            digest text NOT NULL,
            size bigint NOT NULL,
            row_count bigint NOT NULL,
            total_fen bigint NOT NULL,
            open_fen bigint NOT NULL,
            business_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            UNIQUE (month, digest)
        )
    """)
    grant_app("bill_file", append_only=True)
    op.execute("""
        CREATE TABLE receipt_verdict (
            job_id uuid NOT NULL,
            line integer NOT NULL,
            receipt_no text COLLATE "C" NOT NULL,     -- empty where it cannot be read
            verdict text NOT NULL CHECK (verdict IN ('ACCEPTED', 'REPEATED', 'SUSPENSE', 'REFUSED')),
            code text NOT NULL,
            PRIMARY KEY (job_id, line)
        )
    """)
    grant_app("receipt_verdict", append_only=True)


def accounts() -> None:
    """Lower limits take back a part of a credit: a contribution may be negative then."""
    op.execute("ALTER TABLE account_entry DROP CONSTRAINT account_entry_check1")
    op.execute("""
        ALTER TABLE account_entry ADD CONSTRAINT account_entry_amount CHECK (amount_fen > 0 OR (amount_fen < 0 AND (
            kind = 'INTEREST'
            OR (kind = 'CONTRIBUTION' AND (source LIKE 'settlement:%' OR source LIKE 'difference:%'))))) NOT VALID
    """)
    op.execute("ALTER TABLE account_entry VALIDATE CONSTRAINT account_entry_amount")
    op.execute("ALTER TABLE account_year DROP CONSTRAINT account_year_contribution_fen_check")
