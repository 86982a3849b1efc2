"""The tables that every service has: requests, events out and in, jobs, approvals, audit."""

from alembic import op

from chassis.migrate import grant_app

revision = "0001"
down_revision = None

# Versions of aggregates and of what was heard change with nearly every command: room for updates inside the page.
ROOM = "WITH (fillfactor = 80)"


def upgrade() -> None:
    requests()
    events_out()
    events_in()
    jobs()
    approvals()
    audit()
    purge()


def requests() -> None:
    op.execute("""
        CREATE TABLE request (
            caller text NOT NULL,
            method text NOT NULL,
            request_id text NOT NULL,
            body_hash bytea NOT NULL,
            reply bytea,                    -- sealed; NULL only inside the transaction that makes it
            versions text NOT NULL DEFAULT '',
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (caller, method, request_id)
        )
    """)
    op.execute("CREATE INDEX request_created ON request USING brin (created)")
    grant_app("request", "SELECT", "INSERT", "UPDATE (reply, versions)")


def events_out() -> None:
    op.execute(
        "CREATE TABLE epoch (epoch integer PRIMARY KEY, reason text NOT NULL, created timestamptz DEFAULT now())"
    )
    op.execute("INSERT INTO epoch (epoch, reason) VALUES (1, 'created')")
    grant_app("epoch", "SELECT")
    op.execute(f"""
        CREATE TABLE aggregate (
            kind text COLLATE "C" NOT NULL,
            id text COLLATE "C" NOT NULL,
            version bigint NOT NULL CHECK (version > 0),
            PRIMARY KEY (kind, id)
        ) {ROOM}
    """)
    grant_app("aggregate", "SELECT", "INSERT", "UPDATE (version)")
    # seq gives an order within a key (the aggregate row is locked while it is drawn); across keys it says nothing about
    # the order of commits, so nobody may read this table by "seq greater than the last one".
    op.execute("""
        CREATE TABLE outbox (
            seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event_id uuid NOT NULL,
            epoch integer NOT NULL,
            subject text NOT NULL,
            keys text[] NOT NULL,
            payload bytea NOT NULL,
            traceparent text NOT NULL DEFAULT '',
            created timestamptz NOT NULL DEFAULT now(),
            published timestamptz
        )
    """)
    op.execute("CREATE INDEX outbox_unpublished ON outbox (seq) WHERE published IS NULL")
    op.execute("CREATE INDEX outbox_created ON outbox USING brin (created)")
    grant_app("outbox", "SELECT", "INSERT", "UPDATE (published)")


def events_in() -> None:
    op.execute("""
        CREATE TABLE inbox (
            event_id uuid PRIMARY KEY,
            producer text NOT NULL,
            subject text NOT NULL,
            received timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX inbox_received ON inbox USING brin (received)")
    grant_app("inbox", append_only=True)
    op.execute(f"""
        CREATE TABLE seen (
            kind text COLLATE "C" NOT NULL,
            id text COLLATE "C" NOT NULL,
            version bigint NOT NULL CHECK (version >= 0),
            is_behind boolean NOT NULL DEFAULT false,   -- rows of this key stand in waiting
            PRIMARY KEY (kind, id)
        ) {ROOM}
    """)
    grant_app("seen", "SELECT", "INSERT", "UPDATE (version, is_behind)")
    op.execute("""
        CREATE TABLE waiting (
            kind text COLLATE "C" NOT NULL,
            id text COLLATE "C" NOT NULL,
            version bigint NOT NULL,
            event_id uuid NOT NULL,
            subject text NOT NULL,
            fact bytea NOT NULL,
            traceparent text NOT NULL DEFAULT '',
            received timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (kind, id, version)
        )
    """)
    grant_app("waiting", "SELECT", "INSERT", "DELETE")
    op.execute("""
        CREATE TABLE parked (
            number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            event_id uuid,                  -- NULL where the message carried none
            producer text NOT NULL,
            subject text NOT NULL,
            kind text COLLATE "C",          -- NULL where the whole message is parked because it cannot be read
            id text COLLATE "C",
            version bigint,
            body bytea NOT NULL,
            reason text NOT NULL,
            tries integer NOT NULL,
            traceparent text NOT NULL DEFAULT '',
            created timestamptz NOT NULL DEFAULT now(),
            state text NOT NULL DEFAULT 'PARKED' CHECK (state IN ('PARKED', 'REPLAYED', 'DROPPED')),
            decided timestamptz,
            decided_by text NOT NULL DEFAULT '',
            decision text NOT NULL DEFAULT '',
            CHECK ((state = 'PARKED') = (decided IS NULL))
        )
    """)
    op.execute("CREATE INDEX parked_open ON parked (kind, id, version) WHERE state = 'PARKED'")
    grant_app("parked", "SELECT", "INSERT", "UPDATE (state, decided, decided_by, decision)")
    op.execute("""
        CREATE TABLE delivery (
            event_id uuid PRIMARY KEY,
            tries integer NOT NULL,
            reason text NOT NULL,
            first timestamptz NOT NULL DEFAULT now(),
            last timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("delivery")


def jobs() -> None:
    op.execute("""
        CREATE TABLE job (
            id uuid PRIMARY KEY,
            kind text NOT NULL,
            params jsonb NOT NULL,
            state text NOT NULL DEFAULT 'QUEUED'
                CHECK (state IN ('QUEUED', 'RUNNING', 'PAUSED', 'DONE', 'FAILED', 'CANCELLED')),
            business_date date NOT NULL,
            started_by text NOT NULL,
            total_count bigint NOT NULL DEFAULT 0 CHECK (total_count >= 0),
            message text NOT NULL DEFAULT '',
            traceparent text NOT NULL DEFAULT '',
            created timestamptz NOT NULL DEFAULT clock_timestamp(),
            ended timestamptz
        )
    """)
    op.execute("CREATE INDEX job_open ON job (created) WHERE state IN ('QUEUED', 'RUNNING')")
    grant_app("job", "SELECT", "INSERT", "UPDATE (state, total_count, message, ended)")
    op.execute(f"""
        CREATE TABLE job_chunk (
            job_id uuid NOT NULL REFERENCES job (id),
            number integer NOT NULL CHECK (number > 0),
            params jsonb NOT NULL,
            state text NOT NULL DEFAULT 'QUEUED' CHECK (state IN ('QUEUED', 'RUNNING', 'DONE', 'FAILED')),
            attempts integer NOT NULL DEFAULT 0,
            token bigint NOT NULL DEFAULT 0,    -- fencing: +1 each time the chunk is taken
            worker text NOT NULL DEFAULT '',
            due timestamptz NOT NULL DEFAULT clock_timestamp(),     -- QUEUED: not before; RUNNING: end of the lease
            done_count bigint NOT NULL DEFAULT 0,
            rejected_count bigint NOT NULL DEFAULT 0,
            skipped_count bigint NOT NULL DEFAULT 0,
            message text NOT NULL DEFAULT '',
            PRIMARY KEY (job_id, number)
        ) {ROOM}
    """)
    op.execute("CREATE INDEX job_chunk_open ON job_chunk (job_id, number) WHERE state IN ('QUEUED', 'RUNNING')")
    grant_app("job_chunk", "SELECT", "INSERT", "UPDATE")
    op.execute("""
        CREATE TABLE job_reject (
            job_id uuid NOT NULL,
            chunk integer NOT NULL,
            line bigint NOT NULL,
            code text NOT NULL,
            text_zh text NOT NULL,
            text_en text NOT NULL,
            PRIMARY KEY (job_id, chunk, line, code),
            FOREIGN KEY (job_id, chunk) REFERENCES job_chunk (job_id, number)
        )
    """)
    grant_app("job_reject", append_only=True)


def approvals() -> None:
    op.execute("""
        CREATE TABLE approval (
            id uuid PRIMARY KEY,
            kind text NOT NULL,
            subject text NOT NULL,
            payload_hash bytea NOT NULL,
            maker_person text NOT NULL,
            checker_person text,
            state text NOT NULL DEFAULT 'PENDING'
                CHECK (state IN ('PENDING', 'APPROVED', 'REJECTED', 'EXECUTED', 'EXPIRED')),
            reason text NOT NULL DEFAULT '',
            created timestamptz NOT NULL,
            expires timestamptz NOT NULL,
            decided timestamptz,
            executed timestamptz,
            CONSTRAINT approval_two_persons CHECK (maker_person <> checker_person),
            CONSTRAINT approval_decided CHECK (state = 'EXPIRED' OR (state = 'PENDING') = (checker_person IS NULL))
        )
    """)
    op.execute("CREATE UNIQUE INDEX approval_open ON approval (kind, subject) WHERE state IN ('PENDING', 'APPROVED')")
    grant_app("approval", "SELECT", "INSERT", "UPDATE (state, checker_person, reason, decided, executed)")


def audit() -> None:
    op.execute("""
        CREATE TABLE audit (
            seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at timestamptz NOT NULL,
            subject text NOT NULL,
            client text NOT NULL,
            acting_person text NOT NULL,
            method text NOT NULL,
            action text NOT NULL,
            purpose text NOT NULL,
            case_no text NOT NULL,
            person_id uuid,
            request_id text NOT NULL,
            body_digest bytea,
            detail jsonb NOT NULL,
            trace_id text NOT NULL
        )
    """)
    grant_app("audit", append_only=True)


def purge() -> None:
    # The app role may delete nothing from these tables; it may call this, which deletes only what is past its time, a
    # few thousand rows at once. Facts heard are remembered longer than facts said are kept: a republished one is known.
    parts = "".join(
        f"""
            DELETE FROM {table} WHERE ctid = ANY (ARRAY(
                SELECT ctid FROM {table} WHERE {condition} LIMIT 5000
            ));
            GET DIAGNOSTICS n = ROW_COUNT;
            total := total + n;
        """  # noqa: S608 - constants
        for table, condition in (
            ("outbox", "published IS NOT NULL AND created < now() - interval '30 days'"),
            ("inbox", "received < now() - interval '60 days'"),
            ("request", "created < now() - interval '30 days'"),
            ("delivery", "last < now() - interval '60 days'"),
        )
    )
    op.execute(f"""
        CREATE FUNCTION purge_expired() RETURNS bigint
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
        DECLARE total bigint := 0; n bigint;
        BEGIN
            {parts}
            RETURN total;
        END $$
    """)
    op.execute("REVOKE ALL ON FUNCTION purge_expired() FROM PUBLIC")
    grant_app("purge_expired()", "EXECUTE", kind="FUNCTION")
