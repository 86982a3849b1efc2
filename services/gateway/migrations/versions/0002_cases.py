"""Cases with their steps, events, messages and counters."""

from alembic import op

from chassis.migrate import grant_app

revision = "0002"
down_revision = "0001"

STATES = (
    "'DRAFT', 'SUBMITTED', 'CORRECTION_REQUESTED', 'ACCEPTED', 'IN_REVIEW', 'APPROVED', 'DELIVERED', 'REJECTED', "
    "'NOT_ACCEPTED', 'WITHDRAWN', 'PARTLY_DONE'"
)
OPEN = "'SUBMITTED', 'CORRECTION_REQUESTED', 'ACCEPTED', 'IN_REVIEW', 'APPROVED'"


def upgrade() -> None:
    op.execute(
        f"""
        CREATE TABLE case_file (
            case_id uuid PRIMARY KEY,
            case_no text NOT NULL UNIQUE CHECK (case_no ~ '^[0-9]{{22}}$'),
            code text NOT NULL CHECK (code ~ '^[A-Z]{{2}}[0-9]{{2}}$'),
            parent_id uuid REFERENCES case_file,
            state text NOT NULL CHECK (state IN ({STATES})),
            version integer NOT NULL CHECK (version > 0),
            channel smallint NOT NULL CHECK (channel BETWEEN 1 AND 4),
            person_id uuid,
            name_masked text NOT NULL DEFAULT '',
            tail_index bytea,
            applicant jsonb NOT NULL,
            acceptor text NOT NULL DEFAULT '',
            decider text NOT NULL DEFAULT '',
            create_time timestamptz NOT NULL,
            submit_date date,
            end_date date,
            clock_start date,
            clock_used integer NOT NULL DEFAULT 0 CHECK (clock_used >= 0),
            clock_since date,
            promise_days integer CHECK (promise_days >= 0),
            limit_days integer CHECK (limit_days >= 0),
            promised_date date,
            points text[] NOT NULL DEFAULT '{{}}',
            outcome text NOT NULL DEFAULT '' CHECK (outcome IN ('', 'APPROVED', 'REJECTED')),
            reason text NOT NULL DEFAULT '',
            problem_code text NOT NULL DEFAULT '',
            problem_values jsonb NOT NULL DEFAULT '{{}}',
            result_id text NOT NULL DEFAULT '',
            kept jsonb NOT NULL DEFAULT '{{}}',
            statement bytea,
            statement_digest text NOT NULL DEFAULT '',
            is_stuck boolean NOT NULL DEFAULT false,
            form_sealed bytea NOT NULL,
            CHECK ((state = 'DRAFT') <= (submit_date IS NULL)),
            CHECK (acceptor = '' OR acceptor <> decider)
        )
        """
    )
    op.execute(
        "COMMENT ON TABLE case_file IS 'What was applied for. The form is sealed; after the end only its masked form "
        "stays. tail_index: keyed digest of case and last four characters of the identity number, for tracking.'"
    )
    op.execute(f"CREATE UNIQUE INDEX case_open ON case_file (person_id, code) WHERE state IN ({OPEN})")
    op.execute("CREATE INDEX case_of_person ON case_file (person_id, case_id)")
    op.execute("CREATE INDEX case_of_parent ON case_file (parent_id) WHERE parent_id IS NOT NULL")
    op.execute(
        "CREATE INDEX case_queue ON case_file ((coalesce(promised_date, submit_date)), case_id) "
        "WHERE state IN ('SUBMITTED', 'ACCEPTED', 'IN_REVIEW', 'APPROVED', 'CORRECTION_REQUESTED') OR is_stuck"
    )
    grant_app("case_file", "SELECT", "INSERT", "UPDATE")
    op.execute(
        """
        CREATE TABLE case_step (
            case_id uuid NOT NULL REFERENCES case_file,
            name text NOT NULL,
            number smallint NOT NULL,
            phase text NOT NULL CHECK (phase IN ('SUBMIT', 'ACCEPT', 'APPROVE', 'REJECT')),
            state text NOT NULL CHECK (state IN ('WAITING', 'WORKING', 'DONE', 'REFUSED', 'SKIPPED')),
            principal jsonb NOT NULL,
            business_date date NOT NULL,
            traceparent text NOT NULL DEFAULT '',
            attempts integer NOT NULL DEFAULT 0,
            due timestamptz NOT NULL DEFAULT clock_timestamp(),
            lease_until timestamptz,
            problem_code text NOT NULL DEFAULT '',
            problem_values jsonb NOT NULL DEFAULT '{}',
            result_id text NOT NULL DEFAULT '',
            kept jsonb NOT NULL DEFAULT '{}',
            trace_id text NOT NULL DEFAULT '',
            PRIMARY KEY (case_id, name)
        )
        """
    )
    op.execute(
        "COMMENT ON TABLE case_step IS 'One call to one service, with the principal who caused it; request id = case "
        "id and name.'"
    )
    op.execute("CREATE INDEX case_step_due ON case_step (due) WHERE state = 'WORKING'")
    grant_app("case_step", "SELECT", "INSERT", "UPDATE")
    op.execute(
        """
        CREATE TABLE case_event (
            case_id uuid NOT NULL REFERENCES case_file,
            number integer NOT NULL CHECK (number > 0),
            event_time timestamptz NOT NULL,
            business_date date NOT NULL,
            kind text NOT NULL,
            detail jsonb NOT NULL DEFAULT '{}',
            state text NOT NULL,
            actor text NOT NULL CHECK (actor IN ('applicant', 'staff', 'platform')),
            trace_id text NOT NULL DEFAULT '',
            PRIMARY KEY (case_id, number)
        )
        """
    )
    op.execute("COMMENT ON TABLE case_event IS 'What happened to cases; append-only, no personal data.'")
    grant_app("case_event", append_only=True)
    op.execute(
        """
        CREATE TABLE case_message (
            message_id uuid PRIMARY KEY,
            person_id uuid NOT NULL,
            case_id uuid NOT NULL REFERENCES case_file,
            kind text NOT NULL,
            detail jsonb NOT NULL DEFAULT '{}',
            message_time timestamptz NOT NULL
        )
        """
    )
    op.execute("COMMENT ON TABLE case_message IS 'Messages to people: a template and what it names; no personal data.'")
    op.execute("CREATE INDEX case_message_of_person ON case_message (person_id, message_id)")
    grant_app("case_message", append_only=True)
    op.execute(
        """
        CREATE TABLE case_serial (
            region text NOT NULL,
            day date NOT NULL,
            channel smallint NOT NULL,
            last_serial integer NOT NULL CHECK (last_serial BETWEEN 1 AND 999999),
            PRIMARY KEY (region, day, channel)
        )
        """
    )
    op.execute("COMMENT ON TABLE case_serial IS 'The last serial of each region, day and channel.'")
    grant_app("case_serial", "SELECT", "INSERT", "UPDATE")
    op.execute(
        """
        CREATE TABLE case_guess (
            case_id uuid PRIMARY KEY REFERENCES case_file,
            day date NOT NULL,
            wrong_count integer NOT NULL CHECK (wrong_count > 0)
        )
        """
    )
    op.execute("COMMENT ON TABLE case_guess IS 'Wrong last four characters given for a case on a day.'")
    grant_app("case_guess", "SELECT", "INSERT", "UPDATE")
