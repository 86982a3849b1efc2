"""Relations moved in and out, and control sums of what an office delivered.

The years before this platform are kept a year to the row (`history_year`): a city's forty million person-years would
be a billion rows of `contribution`. `contribution_month` shows both as months; whoever asks what counts reads it.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    years()
    deliveries()
    departures()
    months()
    transfers()
    certificates()


def years() -> None:
    op.execute("""
        CREATE TABLE history_source (
            number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            prefix text NOT NULL,
            suffix text NOT NULL        -- of a file the line stands between them
        )
    """)
    grant_app("history_source", append_only=True)
    columns = """
            person_id uuid NOT NULL,
            year smallint NOT NULL CHECK (year BETWEEN 1949 AND 2200),
            schemes smallint NOT NULL CHECK (schemes BETWEEN 1 AND 7),      -- bits: 1 pension, 2 unemployment, 4 injury
            months smallint NOT NULL CHECK (months BETWEEN 1 AND 4095),     -- bits: 1 January … 2048 December
            deemed smallint NOT NULL CHECK (deemed & months = deemed AND (deemed = 0 OR schemes = 1)),
            bases bigint[] NOT NULL CHECK (array_length(bases, 1) IN (1, 12) AND 0 <= ALL (bases)),
            source integer NOT NULL,
            line integer NOT NULL,
            employer_code text,
            departures smallint NOT NULL DEFAULT 0      -- how often the relation had left before the row came
    """
    op.execute(f"CREATE TABLE history_year ({columns}, PRIMARY KEY (person_id, year, schemes, months, departures))")
    grant_app("history_year", append_only=True)
    # Rows live here only inside a transaction that judges them, so a crash that empties it loses nothing.
    op.execute(f"CREATE UNLOGGED TABLE history_stage ({columns})")
    grant_app("history_stage", "SELECT", "INSERT", "DELETE")


def deliveries() -> None:
    op.execute("""
        CREATE TABLE history_delivery (
            job_id uuid PRIMARY KEY,
            state text NOT NULL CHECK (state IN ('CHECKING', 'APPLYING', 'DONE', 'REFUSED')),
            system text NOT NULL,
            files jsonb NOT NULL,           -- upload, digest and the sums that each file states
            stated jsonb NOT NULL,          -- the sums that were delivered beside the files; empty: none
            counted jsonb NOT NULL DEFAULT '{}',
            differences jsonb NOT NULL DEFAULT '[]',
            open_chunks integer NOT NULL CHECK (open_chunks >= 0),
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("history_delivery", "SELECT", "INSERT", "UPDATE")
    op.execute("""
        CREATE TABLE history_part (
            job_id uuid NOT NULL REFERENCES history_delivery,
            chunk integer NOT NULL,
            file integer NOT NULL,
            first_line integer NOT NULL,
            counted jsonb NOT NULL,
            years bytea,                    -- the rows in the form of COPY, compressed; none once they took effect
            PRIMARY KEY (job_id, chunk)
        )
    """)
    grant_app("history_part", "SELECT", "INSERT", "UPDATE (years)")
    op.execute("""
        CREATE TABLE history_part_person (
            job_id uuid NOT NULL,
            chunk integer NOT NULL,
            person_id uuid NOT NULL,        -- given; one that the register knows keeps its own
            line integer NOT NULL,
            source text NOT NULL,
            id_no_index bytea NOT NULL,
            id_no_sealed bytea NOT NULL,
            name_sealed bytea NOT NULL,
            birth_date date NOT NULL,
            sex text NOT NULL,
            division text NOT NULL,
            identity bytea NOT NULL,        -- sealed for the card service
            fact bytea NOT NULL,            -- what is said when every row of a new person takes effect
            account_line integer,
            account_year smallint,
            account_fen bigint,
            PRIMARY KEY (job_id, chunk, person_id)
        )
    """)
    grant_app("history_part_person", "SELECT", "INSERT", "DELETE")
    op.execute("""
        CREATE TABLE history_parity (
            job_id uuid PRIMARY KEY,
            delivery_id uuid NOT NULL REFERENCES history_delivery,
            seed text NOT NULL,
            size integer NOT NULL,
            checked jsonb NOT NULL DEFAULT '{}',
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("history_parity", "SELECT", "INSERT", "UPDATE (checked)")
    op.execute("""
        CREATE TABLE history_difference (
            job_id uuid NOT NULL REFERENCES history_parity,
            number integer NOT NULL,
            person_id uuid NOT NULL,
            code text NOT NULL,
            place text NOT NULL,            -- what differs: a month with its scheme, a year, a sum
            delivered text NOT NULL,
            computed text NOT NULL,
            PRIMARY KEY (job_id, number)
        )
    """)
    grant_app("history_difference", append_only=True)


def departures() -> None:
    op.execute("""
        CREATE TABLE departure (
            person_id uuid NOT NULL,
            number smallint NOT NULL CHECK (number > 0),
            through date NOT NULL CHECK (extract(day FROM through) = 1),    -- pension months up to it count elsewhere
            transfer_id uuid NOT NULL UNIQUE,
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (person_id, number)
        )
    """)
    grant_app("departure", append_only=True)


def months() -> None:
    op.execute("""
        CREATE VIEW contribution_month AS
        SELECT person_id, extract(year FROM month)::smallint AS year, month, scheme, state, base_fen, employer_fen,
               employee_fen, bill_id, import_source, employer_code
        FROM contribution AS one
        WHERE NOT (scheme = 110 AND EXISTS (
            SELECT FROM departure WHERE departure.person_id = one.person_id AND one.month <= through))
        UNION ALL
        SELECT one.person_id, one.year, make_date(one.year, number.month, 1), insured.scheme,
               CASE WHEN (deemed >> (number.month - 1)) & 1 = 1 THEN 'DEEMED' ELSE 'PAID' END,
               bases[CASE WHEN array_length(bases, 1) = 1 THEN 1 ELSE number.month END], 0::bigint, 0::bigint,
               NULL::uuid, CASE WHEN line = 0 THEN prefix ELSE prefix || line::text || suffix END, employer_code
        FROM history_year AS one JOIN history_source AS origin ON origin.number = one.source
        CROSS JOIN generate_series(1, 12) AS number (month)
        CROSS JOIN (VALUES (110::smallint, 1), (210::smallint, 2), (410::smallint, 4)) AS insured (scheme, bit)
        WHERE (months >> (number.month - 1)) & 1 = 1 AND schemes & bit <> 0
          AND NOT (scheme = 110 AND EXISTS (
            SELECT FROM departure WHERE departure.person_id = one.person_id
              AND make_date(one.year, number.month, 1) <= through AND departure.number > one.departures))
    """)
    grant_app("contribution_month", "SELECT")


def transfers() -> None:
    op.execute("""
        CREATE TABLE transfer (
            transfer_id uuid PRIMARY KEY,
            person_id uuid NOT NULL REFERENCES person,
            direction text NOT NULL CHECK (direction IN ('IN', 'OUT')),
            state text NOT NULL CHECK (state IN ('APPLIED', 'LETTER', 'FORM', 'FUNDS', 'DONE', 'REFUSED')),
            other_area text NOT NULL CHECK (other_area ~ '^[0-9]{6}$'),
            temporary boolean NOT NULL,
            apply_date date NOT NULL,
            letter_no text,
            form_no text,
            through date,
            form jsonb,                     -- what the information form states: years, account, pooled part
            statement jsonb,
            policy_version text,
            account_fen bigint CHECK (account_fen >= 0),
            pooled_fen bigint CHECK (pooled_fen >= 0),
            funds_no text UNIQUE,
            refusal text,
            created timestamptz NOT NULL DEFAULT now(),
            CHECK ((state IN ('FORM', 'FUNDS', 'DONE')) <= (form_no IS NOT NULL AND account_fen IS NOT NULL)),
            CHECK ((state = 'REFUSED') = (refusal IS NOT NULL))
        )
    """)
    op.execute("CREATE UNIQUE INDEX transfer_one_open ON transfer (person_id) WHERE state NOT IN ('DONE', 'REFUSED')")
    op.execute("CREATE INDEX transfer_person ON transfer (person_id, transfer_id)")
    op.execute("CREATE INDEX transfer_open ON transfer (transfer_id) WHERE state NOT IN ('DONE', 'REFUSED')")
    grant_app(
        "transfer", "SELECT", "INSERT",
        "UPDATE (state, letter_no, form_no, through, form, statement, policy_version, account_fen, pooled_fen,"
        " funds_no, refusal)",
    )  # fmt: skip
    op.execute("""
        CREATE TABLE transfer_step (
            transfer_id uuid NOT NULL REFERENCES transfer,
            state text NOT NULL,
            day date NOT NULL,
            document_no text NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (transfer_id, state)        -- no step is taken twice
        )
    """)
    grant_app("transfer_step", append_only=True)
    # A year in which the account left, or years of two rooms that widen the same rule: what held before holds on.
    op.execute("ALTER TABLE account_year ADD COLUMN moved_fen bigint NOT NULL DEFAULT 0 CHECK (moved_fen <= 0)")
    _replace_check("account_year", "closing_fen", "CHECK (closing_fen = opening_fen + contribution_fen + interest_fen"
                   " + imported_fen + moved_fen)")  # fmt: skip
    _widen_check("account_entry", "IMPORTED_BALANCE", "kind = 'TRANSFERRED_OUT'", unless="amount_fen")
    _widen_check("account_entry", "amount_fen", "(kind = 'TRANSFERRED_OUT' AND amount_fen < 0)")


def certificates() -> None:
    op.execute("""
        CREATE TABLE certificate (
            certificate_id uuid PRIMARY KEY,
            number text COLLATE "C" NOT NULL UNIQUE CHECK (number ~ '^[0-9A-Z]{16}$'),
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            person_id uuid NOT NULL REFERENCES person,
            kind text NOT NULL CHECK (kind IN ('INSURANCE', 'CONTRIBUTIONS')),
            as_of date NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX certificate_person ON certificate (person_id, certificate_id)")
    op.execute("CREATE INDEX certificate_digest ON certificate (digest)")
    grant_app("certificate", append_only=True)
    op.execute("""
        CREATE TABLE certificate_facts (
            digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
            facts_sealed bytea NOT NULL
        )
    """)
    grant_app("certificate_facts", append_only=True)


def _replace_check(table: str, word: str, following: str) -> None:
    """Put another rule in the place of the one check of a table that begins with a word."""
    op.execute(f"""
        DO $$ DECLARE found text; BEGIN
            SELECT conname INTO STRICT found FROM pg_constraint
            WHERE conrelid = '{table}'::regclass AND contype = 'c'
              AND pg_get_constraintdef(oid) LIKE 'CHECK (({word} = %';
            EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', found);
            EXECUTE 'ALTER TABLE {table} ADD {following}';
        END $$
    """)  # noqa: S608 - constants


def _widen_check(table: str, word: str, case: str, *, unless: str = "-") -> None:
    """Allow one case more in every check of a table that names a word; whatever else was allowed stays so."""
    op.execute(f"""
        DO $$ DECLARE one record; BEGIN
            FOR one IN SELECT conname, pg_get_expr(conbin, conrelid) AS rule FROM pg_constraint
                WHERE conrelid = '{table}'::regclass AND contype = 'c'
                  AND pg_get_constraintdef(oid) LIKE '%{word}%' AND pg_get_constraintdef(oid) NOT LIKE '%{unless}%'
            LOOP
                EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', one.conname);
                EXECUTE format('ALTER TABLE {table} ADD CONSTRAINT %I CHECK ((%s) OR %s)', one.conname, one.rule,
                    $case${case}$case$);
            END LOOP;
        END $$
    """)  # noqa: S608 - constants
