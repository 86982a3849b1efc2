"""Land-expropriated farmers, premiums on behalf, and the rest of the register."""

from alembic import op

from chassis.migrate import grant_app

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Tables beside those that are there; what the release before writes stays as it was."""
    cover_runs()
    late_fees()


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
