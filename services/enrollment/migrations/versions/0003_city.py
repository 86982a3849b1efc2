"""Runs over the whole city: bills of a month and interest of a year in set form.

A month has one bill run; each of its chunks leaves what it made, in its own transaction. A closed year keeps what was
booked by month and the law of its run, from which its statement is made when somebody reads it: a city's years took
two kilobytes each. A line of a bill costs two indexes and one look at its bill for a whole statement; the third index
and a look for every line took half of the time of a run.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    bill_runs()
    bill_lines()
    account_years()
    indexes()


def bill_runs() -> None:
    op.execute("""
        CREATE TABLE bill_run (
            run_id uuid PRIMARY KEY,
            month date NOT NULL UNIQUE CHECK (extract(day FROM month) = 1),
            job_id uuid NOT NULL,
            policy_version text NOT NULL,
            assess_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("bill_run", append_only=True)
    op.execute("""
        CREATE TABLE bill_run_part (
            run_id uuid NOT NULL REFERENCES bill_run,
            chunk integer NOT NULL,
            bill_count bigint NOT NULL CHECK (bill_count >= 0),
            person_count bigint NOT NULL CHECK (person_count >= bill_count),
            pension_employer_fen bigint NOT NULL CHECK (pension_employer_fen >= 0),
            pension_employee_fen bigint NOT NULL CHECK (pension_employee_fen >= 0),
            unemployment_employer_fen bigint NOT NULL CHECK (unemployment_employer_fen >= 0),
            unemployment_employee_fen bigint NOT NULL CHECK (unemployment_employee_fen >= 0),
            injury_employer_fen bigint NOT NULL CHECK (injury_employer_fen >= 0),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (run_id, chunk)
        )
    """)
    grant_app("bill_run_part", append_only=True)
    op.execute("ALTER TABLE bill ADD COLUMN run_id uuid")  # none: assessed for one employer


def bill_lines() -> None:
    """A line still has its bill, looked at once for each bill of a statement; nobody may delete a bill."""
    op.execute("ALTER TABLE bill_line DROP CONSTRAINT bill_line_bill_id_fkey")
    op.execute("""
        CREATE FUNCTION bill_line_has_bill() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM (SELECT DISTINCT bill_id FROM fresh) AS one
                WHERE NOT EXISTS (SELECT FROM bill WHERE bill.bill_id = one.bill_id OFFSET 0)  -- by its key, always
            ) THEN
                RAISE EXCEPTION 'a line needs its bill'
                    USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'bill_line_has_bill';
            END IF;
            RETURN NULL;
        END $$
    """)
    op.execute("""
        CREATE TRIGGER bill_line_has_bill AFTER INSERT ON bill_line
            REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION bill_line_has_bill()
    """)


def account_years() -> None:
    op.execute("""
        CREATE TABLE account_year_terms (
            terms_id uuid PRIMARY KEY,      -- of the job that closed the year
            terms jsonb NOT NULL,           -- the rows of law that were in force
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("account_year_terms", append_only=True)
    op.execute("""
        ALTER TABLE account_year
            ADD COLUMN terms_id uuid,
            ADD COLUMN booked_months smallint[],    -- month of each booking of the year, and its amount
            ADD COLUMN booked_fen bigint[],
            DROP CONSTRAINT account_year_check1,
            ADD CONSTRAINT account_year_explained CHECK (
                CASE WHEN source <> 'platform' THEN statement IS NULL AND terms_id IS NULL
                     ELSE (statement IS NULL) = (terms_id IS NOT NULL) END
                AND (terms_id IS NULL) = (booked_months IS NULL) AND (terms_id IS NULL) = (booked_fen IS NULL)
                AND cardinality(booked_months) = cardinality(booked_fen)
            )
    """)


def indexes() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS bill_line_enrollment")
        # What was booked in the year that is closed, without the decades before it.
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS account_entry_booked ON account_entry (person_id, year)"
            " WHERE kind = 'CONTRIBUTION'"
        )
