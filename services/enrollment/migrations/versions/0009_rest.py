"""Land-expropriated farmers, premiums on behalf, and the rest of the register."""

from alembic import op

from chassis.migrate import grant_app

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Tables beside those that are there; what the release before writes stays as it was."""
    cover_runs()
    late_fees()
    premium_aid()
    land()
    scheme_years()
    bridges()
    receipt_numbers()


def cover_runs() -> None:
    """Runs of a month over government posts and flexible workers, beside those of employees: one of each a month."""
    op.execute("""
        CREATE TABLE cover_run (
            run_id uuid PRIMARY KEY,
            month date NOT NULL CHECK (extract(day FROM month) = 1),
            kind text NOT NULL CHECK (kind IN ('GOVERNMENT', 'FLEXIBLE')),
            job_id uuid NOT NULL,
            policy_version text NOT NULL,
            assess_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            UNIQUE (month, kind)
        )
    """)
    grant_app("cover_run", append_only=True)
    op.execute("""
        CREATE TABLE cover_run_part (
            run_id uuid NOT NULL REFERENCES cover_run,
            chunk integer NOT NULL,
            bill_count bigint NOT NULL CHECK (bill_count >= 0),
            person_count bigint NOT NULL CHECK (person_count >= bill_count),
            pension_employer_fen bigint NOT NULL CHECK (pension_employer_fen >= 0),
            pension_employee_fen bigint NOT NULL CHECK (pension_employee_fen >= 0),
            unemployment_employer_fen bigint NOT NULL CHECK (unemployment_employer_fen >= 0),
            unemployment_employee_fen bigint NOT NULL CHECK (unemployment_employee_fen >= 0),
            injury_employer_fen bigint NOT NULL CHECK (injury_employer_fen >= 0),
            annuity_employer_fen bigint NOT NULL CHECK (annuity_employer_fen >= 0),
            annuity_employee_fen bigint NOT NULL CHECK (annuity_employee_fen >= 0),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (run_id, chunk)
        )
    """)
    grant_app("cover_run_part", append_only=True)


def late_fees() -> None:
    """What every document owed on a day, with its late fee: figures of that day, which book nothing."""
    op.execute("""
        CREATE TABLE late_fee_run (
            run_id uuid PRIMARY KEY,
            on_date date NOT NULL UNIQUE,
            job_id uuid NOT NULL,
            with_demands boolean NOT NULL,
            policy_version text NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("late_fee_run", append_only=True)
    op.execute("""
        CREATE TABLE late_fee_run_part (
            run_id uuid NOT NULL REFERENCES late_fee_run,
            chunk integer NOT NULL,
            document_count bigint NOT NULL CHECK (document_count >= 0),
            employer_count bigint NOT NULL CHECK (employer_count >= 0),
            open_fen bigint NOT NULL CHECK (open_fen >= 0),
            fee_fen bigint NOT NULL CHECK (fee_fen >= 0),
            demand_count bigint NOT NULL CHECK (demand_count >= 0),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (run_id, chunk)
        )
    """)
    grant_app("late_fee_run_part", append_only=True)
    op.execute("""
        CREATE TABLE late_fee_accrual (
            run_id uuid NOT NULL REFERENCES late_fee_run,
            employer_id uuid NOT NULL,
            document text COLLATE "C" NOT NULL,     -- "bil_…" or "dem_…"
            month date NOT NULL CHECK (extract(day FROM month) = 1),
            due_date date,                          -- none: a demand bears no fee
            open_fen bigint NOT NULL CHECK (open_fen >= 0),
            fee_fen bigint NOT NULL CHECK (fee_fen >= 0),
            PRIMARY KEY (run_id, employer_id, document),
            CHECK ((due_date IS NULL) = (document LIKE 'dem%'))
        )
    """)
    grant_app("late_fee_accrual", append_only=True)


def premium_aid() -> None:
    """Premiums that the government pays on behalf (社保费代缴): who is entitled, a year's run, the budget's money."""
    op.execute("""
        CREATE TABLE premium_aid (
            aid_id uuid PRIMARY KEY,
            person_id uuid NOT NULL REFERENCES person,
            aid_group text NOT NULL CHECK (aid_group ~ '^[A-Z_]+$'),
            from_year integer NOT NULL CHECK (from_year BETWEEN 2000 AND 2200),
            until_year integer CHECK (until_year >= from_year - 1),
            document_ref text NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE UNIQUE INDEX premium_aid_one_open ON premium_aid (person_id) WHERE until_year IS NULL")
    op.execute("CREATE INDEX premium_aid_person ON premium_aid (person_id, from_year)")
    grant_app("premium_aid", "SELECT", "INSERT", "UPDATE (until_year)")
    op.execute("""
        CREATE TABLE premium_aid_run (
            run_id uuid PRIMARY KEY,
            year integer NOT NULL UNIQUE CHECK (year BETWEEN 2000 AND 2200),
            job_id uuid NOT NULL,
            tier_fen bigint NOT NULL CHECK (tier_fen > 0),
            subsidy_fen bigint NOT NULL CHECK (subsidy_fen >= 0),
            statement jsonb NOT NULL,
            policy_version text NOT NULL,
            assess_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("premium_aid_run", append_only=True)
    op.execute("""
        CREATE TABLE premium_aid_receipt (
            run_id uuid PRIMARY KEY REFERENCES premium_aid_run,
            receipt_no text COLLATE "C" NOT NULL UNIQUE,
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            paid_date date NOT NULL,
            simulated boolean NOT NULL,
            job_id uuid NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("premium_aid_receipt", append_only=True)
    op.execute("""
        ALTER TABLE resident_payment
            ADD COLUMN aid_run_id uuid REFERENCES premium_aid_run,
            ADD COLUMN on_behalf_fen bigint NOT NULL DEFAULT 0,
            ADD CHECK (on_behalf_fen = CASE WHEN aid_run_id IS NULL THEN 0 ELSE tier_fen END)
    """)
    op.execute("""
        CREATE INDEX resident_payment_aid ON resident_payment (aid_run_id, person_id) WHERE aid_run_id IS NOT NULL
    """)
    op.execute("""
        DO $$ DECLARE one record; BEGIN
            FOR one IN SELECT conname FROM pg_constraint
                WHERE conrelid = 'scheme_account_entry'::regclass AND contype = 'c'
                  AND (pg_get_constraintdef(oid) LIKE '%SUBSIDY%' OR pg_get_constraintdef(oid) LIKE '%REFUND%')
            LOOP EXECUTE format('ALTER TABLE scheme_account_entry DROP CONSTRAINT %I', one.conname); END LOOP;
        END $$
    """)
    op.execute("""
        ALTER TABLE scheme_account_entry
            ADD CONSTRAINT scheme_account_entry_part CHECK (part IN (
                'EMPLOYER', 'EMPLOYEE', 'PAYMENT', 'SUBSIDY', 'AID', 'REFUND', 'ON_BEHALF', 'LAND', 'INTEREST',
                'BRIDGED')) NOT VALID,
            ADD CONSTRAINT scheme_account_entry_amount CHECK (
                amount_fen > 0 OR (amount_fen < 0 AND part IN ('REFUND', 'BRIDGED', 'INTEREST'))) NOT VALID
    """)
    op.execute("ALTER TABLE scheme_account_entry VALIDATE CONSTRAINT scheme_account_entry_part")
    op.execute("ALTER TABLE scheme_account_entry VALIDATE CONSTRAINT scheme_account_entry_amount")


def land() -> None:
    """Farmers whose land is taken (即征即保): the list of a notice, its money, each person's account and its uses."""
    op.execute("""
        CREATE TABLE land_batch (
            batch_id uuid PRIMARY KEY,
            notice_no text COLLATE "C" NOT NULL,
            part_no integer NOT NULL CHECK (part_no > 0),
            division text NOT NULL CHECK (division ~ '^[0-9]{6}$'),
            notice_date date NOT NULL,
            headcount integer NOT NULL CHECK (headcount BETWEEN 1 AND 1000),
            receipt_no text COLLATE "C" UNIQUE,
            received_fen bigint CHECK (received_fen > 0),
            paid_date date,
            simulated boolean,
            created timestamptz NOT NULL DEFAULT now(),
            UNIQUE (notice_no, part_no),
            CHECK (num_nulls(receipt_no, received_fen, paid_date, simulated) IN (0, 4))
        )
    """)
    grant_app("land_batch", "SELECT", "INSERT", "UPDATE (receipt_no, received_fen, paid_date, simulated)")
    op.execute("""
        CREATE TABLE land_share (
            batch_id uuid NOT NULL REFERENCES land_batch,
            person_id uuid NOT NULL REFERENCES person,
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            statement jsonb NOT NULL,
            policy_version text NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (batch_id, person_id)
        )
    """)
    op.execute("CREATE INDEX land_share_person ON land_share (person_id)")
    grant_app("land_share", append_only=True)
    op.execute("""
        CREATE TABLE land_account (
            person_id uuid PRIMARY KEY REFERENCES person,
            balance_fen bigint NOT NULL CHECK (balance_fen >= 0),
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("land_account", "SELECT", "INSERT", "UPDATE (balance_fen)")
    op.execute("""
        CREATE TABLE land_entry (
            person_id uuid NOT NULL REFERENCES land_account,
            source text COLLATE "C" NOT NULL,       -- "batch:lbt_…" or "use:lus_…"
            target text COLLATE "C" NOT NULL,       -- of a use: "bil_…", "rpy_…" or "RESIDENT_ACCOUNT"
            amount_fen bigint NOT NULL CHECK (amount_fen <> 0),
            booked_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (person_id, source),
            CHECK ((amount_fen < 0) = (source LIKE 'use:%')),
            CHECK ((target = '') = (amount_fen > 0))
        )
    """)
    grant_app("land_entry", append_only=True)
    op.execute("ALTER TABLE receipt ADD COLUMN land_use_id uuid")


def scheme_years() -> None:
    """Closed years of the accounts beside the employee pension; their law is kept with that of other closed years."""
    op.execute("""
        CREATE TABLE scheme_year (
            scheme smallint NOT NULL CHECK (scheme IN (120, 170, 9012)),
            year integer NOT NULL CHECK (year BETWEEN 1996 AND 2200),
            job_id uuid NOT NULL,
            policy_version text NOT NULL,
            close_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (scheme, year)
        )
    """)
    grant_app("scheme_year", append_only=True)
    op.execute("""
        CREATE TABLE scheme_account_year (
            person_id uuid NOT NULL,
            scheme smallint NOT NULL,
            year integer NOT NULL,
            opening_fen bigint NOT NULL,
            contribution_fen bigint NOT NULL,
            interest_fen bigint NOT NULL,
            terms_id uuid NOT NULL,
            PRIMARY KEY (person_id, scheme, year),
            FOREIGN KEY (scheme, year) REFERENCES scheme_year,
            FOREIGN KEY (person_id, scheme) REFERENCES scheme_account
        )
    """)
    grant_app("scheme_account_year", append_only=True)


def bridges() -> None:
    """Accounts that moved between the pensions of residents and employees: once for a person."""
    op.execute("""
        CREATE TABLE pension_bridge (
            bridge_id uuid PRIMARY KEY,
            person_id uuid NOT NULL UNIQUE REFERENCES person,
            direction text NOT NULL CHECK (direction IN ('TO_EMPLOYEE', 'TO_RESIDENT')),
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            employee_months integer NOT NULL CHECK (employee_months >= 0),
            statement jsonb NOT NULL,
            policy_version text NOT NULL,
            bridge_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("pension_bridge", append_only=True)


def receipt_numbers() -> None:
    """One number is one receipt: those that are not the bureau's stand here, and neither takes what the other has."""
    op.execute("""
        CREATE TABLE single_receipt (
            receipt_no text COLLATE "C" PRIMARY KEY,
            used_for text NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("single_receipt", append_only=True)
    op.execute("""
        INSERT INTO single_receipt (receipt_no, used_for)
        SELECT receipt_no, 'resident_payment' FROM resident_payment WHERE receipt_no IS NOT NULL
        UNION ALL SELECT receipt_no, 'project' FROM project WHERE receipt_no IS NOT NULL
        UNION ALL SELECT receipt_no, 'platform_month' FROM platform_month WHERE receipt_no IS NOT NULL
        ON CONFLICT DO NOTHING
    """)
