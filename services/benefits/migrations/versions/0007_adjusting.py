"""Annual adjustments, recomputations and what-if runs; statements that are made again from terms.

A calculation of an adjustment stores no statement: it points to the run whose terms it was made by, and its inputs are
three numbers. `contribution_months` is read from the statement of a determination (line `basic`), or from these inputs.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0007"
down_revision = "0006"

STATES = (
    "DRAFT",
    "DRY_RUN",
    "APPROVED",
    "RUNNING",
    "DONE",
    "REVERSING",
    "REVERSED",
    "DISCARDED",
)

# Months of contributions as the basic line names them, or as an adjustment keeps them.
MONTHS = """
    coalesce(
        jsonb_path_query_first(
            statement,
            'strict $.lines[*] ? (@.code == "basic")
                .inputs[*] ? (@[0] == "months" && @[1] like_regex "^[0-9]{1,4}$")[1]',
            '{}', true
        ) #>> '{}',
        CASE WHEN statement IS NULL THEN inputs ->> 'months' END
    )::integer
"""


def upgrade() -> None:
    runs()
    made_again()
    once()


def runs() -> None:
    states = ", ".join(f"'{one}'" for one in STATES)
    op.execute(f"""
        CREATE TABLE adjustment (
            adjustment_id uuid PRIMARY KEY,
            purpose text NOT NULL CHECK (purpose IN ('ANNUAL', 'RECOMPUTATION', 'WHAT_IF')),
            year smallint CHECK (year BETWEEN 1990 AND 2200),
            kinds text[] NOT NULL CHECK (cardinality(kinds) > 0),
            state text NOT NULL CHECK (state IN ({states})),
            source text NOT NULL CHECK (source IN ('POLICY', 'DEMO', 'NOTICE')),
            terms jsonb NOT NULL CHECK (jsonb_typeof(terms) = 'object'),
            policy_version text NOT NULL,
            maker text NOT NULL,
            create_date date NOT NULL,
            job_id uuid,
            dry_runner text,
            impact jsonb,
            digest bytea CHECK (octet_length(digest) = 32),
            approval_id uuid,
            checker text,
            approve_date date,
            result jsonb,
            reversal_maker text,
            reversal_reason text NOT NULL DEFAULT '',
            reversal_approval_id uuid,
            reversal_checker text,
            CHECK ((purpose = 'ANNUAL') = (year IS NOT NULL)),
            CHECK ((impact IS NULL) = (digest IS NULL)),
            CHECK (num_nulls(checker, approve_date) IN (0, 2)),
            CHECK (state IN ('DRAFT', 'DRY_RUN', 'DISCARDED') OR checker IS NOT NULL),
            CHECK (purpose <> 'WHAT_IF' OR state IN ('DRY_RUN', 'DISCARDED')),
            CONSTRAINT adjustment_two_persons CHECK (maker <> checker AND dry_runner <> checker),
            CONSTRAINT reversal_two_persons CHECK (reversal_maker <> reversal_checker)
        )
    """)
    op.execute("""
        CREATE UNIQUE INDEX adjustment_of_year ON adjustment (year)
        WHERE purpose = 'ANNUAL' AND state NOT IN ('REVERSED', 'DISCARDED')
    """)
    op.execute("""
        CREATE UNIQUE INDEX recomputation_open ON adjustment (purpose)
        WHERE purpose = 'RECOMPUTATION' AND state NOT IN ('DONE', 'DISCARDED')
    """)
    op.execute("""
        CREATE TABLE adjustment_part (
            job_id uuid NOT NULL,
            chunk integer NOT NULL,
            adjustment_id uuid NOT NULL REFERENCES adjustment,
            impact jsonb NOT NULL,
            PRIMARY KEY (job_id, chunk)
        )
    """)
    op.execute("COMMENT ON TABLE adjustment_part IS 'impact of a chunk of a run; the end of the job adds them up'")
    op.execute("""
        CREATE TABLE adjustment_overpaid (
            adjustment_id uuid NOT NULL REFERENCES adjustment,
            benefit_id uuid NOT NULL REFERENCES benefit,
            person_id uuid NOT NULL,
            first_month first_of_month NOT NULL,
            last_month first_of_month NOT NULL CHECK (last_month >= first_month),
            amount_fen fen NOT NULL CHECK (amount_fen > 0),
            found_date date NOT NULL,
            PRIMARY KEY (adjustment_id, benefit_id)
        )
    """)
    op.execute("COMMENT ON TABLE adjustment_overpaid IS 'paid by amounts that were reversed, or recomputed to less'")
    grant_app(
        "adjustment",
        "SELECT",
        "INSERT",
        "UPDATE (state, job_id, dry_runner, impact, digest, approval_id, checker, approve_date, result, reversal_maker,"
        " reversal_reason, reversal_approval_id, reversal_checker)",
    )
    grant_app("adjustment_part", append_only=True)
    grant_app("adjustment_overpaid", append_only=True)


def made_again() -> None:
    op.execute("ALTER TABLE calculation ALTER statement DROP NOT NULL")
    op.execute("ALTER TABLE calculation ADD terms_id uuid REFERENCES adjustment")
    op.execute(f"ALTER TABLE calculation ADD contribution_months integer GENERATED ALWAYS AS ({MONTHS}) STORED")
    op.execute("""
        ALTER TABLE calculation
        ADD CONSTRAINT calculation_explained CHECK ((statement IS NULL) = (terms_id IS NOT NULL))
    """)
    op.execute("COMMENT ON COLUMN calculation.terms_id IS 'run whose terms make the statement again from the inputs'")


def once() -> None:
    """A run changes the amount of a benefit once; the index also finds what a run did."""
    op.execute("DROP INDEX benefit_amount_cause")
    op.execute("""
        CREATE UNIQUE INDEX benefit_amount_once ON benefit_amount (cause_id, benefit_id, cause, from_month)
        WHERE cause_id IS NOT NULL
    """)
