"""Gates, digests by chunk, releases, returned payments and files of payrolls.

What a gate found stands beside the payments of its chunk and in the same digest, so that the second person approves
both. Nothing of it is ever deleted.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    ordered_ids()
    chunks()
    gates()
    returned()
    files()


def ordered_ids() -> None:
    """UUIDs of version 7 in SQL: PostgreSQL 18 brings its own of this name, which is found first."""
    op.execute("""
        CREATE FUNCTION uuidv7() RETURNS uuid LANGUAGE sql VOLATILE PARALLEL SAFE AS $$
            SELECT encode(set_bit(set_bit(overlay(
                uuid_send(gen_random_uuid())
                PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
                FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
        $$
    """)


def chunks() -> None:
    """A payroll is approved by the digest of the digests of its chunks."""
    op.execute("ALTER TABLE payment ADD chunk integer NOT NULL DEFAULT 0 CHECK (chunk >= 0)")
    op.execute("ALTER TABLE payment ADD again_of uuid REFERENCES payment")
    op.execute("ALTER TABLE payment ADD return_code text NOT NULL DEFAULT '' CHECK (return_code ~ '^[A-Z0-9_]{0,40}$')")
    op.execute("ALTER TABLE payment ADD CONSTRAINT again_of_what CHECK ((item = 'AGAIN') = (again_of IS NOT NULL))")
    op.execute("COMMENT ON COLUMN payment.chunk IS 'part of the payroll that holds it; 0 before there were parts'")
    op.execute("COMMENT ON COLUMN payment.again_of IS 'the payment that the bank sent back and this one repeats'")
    op.execute("""
        CREATE UNIQUE INDEX payment_again_once ON payment (again_of) WHERE again_of IS NOT NULL AND state <> 'WITHDRAWN'
    """)
    op.execute("DROP INDEX payment_payroll")
    op.execute("CREATE INDEX payment_chunk ON payment (payroll_id, chunk, payment_id)")
    grant_app("payment", "UPDATE (return_code)")
    # A payroll moves `next_month` of every benefit: with no index on it the new row stays on its page (HOT).
    op.execute("DROP INDEX benefit_to_pay")
    op.execute("ALTER TABLE benefit SET (fillfactor = 80)")
    op.execute("""
        CREATE TABLE payroll_chunk (
            payroll_id uuid NOT NULL REFERENCES payroll,
            chunk integer NOT NULL CHECK (chunk >= 0),
            payment_count integer NOT NULL CHECK (payment_count >= 0),
            total_fen fen NOT NULL,
            finding_count integer NOT NULL CHECK (finding_count >= 0),
            digest bytea NOT NULL CHECK (octet_length(digest) = 32),
            PRIMARY KEY (payroll_id, chunk)
        )
    """)
    op.execute("COMMENT ON COLUMN payroll_chunk.digest IS 'over its payments and its findings'")
    # What was prepared before asks to be looked at again: its digest did not cover findings.
    op.execute("""
        INSERT INTO payroll_chunk (payroll_id, chunk, payment_count, total_fen, finding_count, digest)
        SELECT payroll_id, 0, payment_count, total_fen, 0,
               sha256(CASE WHEN payment_count > 0 THEN digest ELSE ''::bytea END)
        FROM payroll WHERE state <> 'PREPARING'
    """)
    grant_app("payroll_chunk", "SELECT", "INSERT", "UPDATE (payment_count, total_fen, digest)")


def gates() -> None:
    """What was looked at before money left, what was found, and who let what pass."""
    op.execute("""
        CREATE TABLE payroll_gate (
            payroll_id uuid NOT NULL REFERENCES payroll,
            chunk integer NOT NULL,
            gate text NOT NULL,
            checked_count integer NOT NULL CHECK (checked_count >= 0),
            blocked_count integer NOT NULL CHECK (blocked_count >= 0),
            warned_count integer NOT NULL CHECK (warned_count >= 0),
            released_count integer NOT NULL CHECK (released_count >= 0),
            terms text NOT NULL,
            PRIMARY KEY (payroll_id, chunk, gate)
        )
    """)
    op.execute("COMMENT ON COLUMN payroll_gate.terms IS 'the limits that were applied'")
    op.execute("""
        CREATE TABLE payroll_finding (
            payroll_id uuid NOT NULL REFERENCES payroll,
            chunk integer NOT NULL,
            benefit_id uuid NOT NULL,
            person_id uuid NOT NULL,
            gate text NOT NULL,
            effect text NOT NULL CHECK (effect IN ('BLOCK', 'WARN', 'RELEASED')),
            detail text NOT NULL,
            PRIMARY KEY (payroll_id, benefit_id, gate)
        )
    """)
    op.execute("CREATE INDEX payroll_finding_chunk ON payroll_finding (payroll_id, chunk)")
    op.execute("CREATE INDEX payroll_finding_benefit ON payroll_finding (benefit_id)")
    op.execute("""
        CREATE TABLE payroll_release (
            release_id uuid PRIMARY KEY,
            benefit_id uuid NOT NULL REFERENCES benefit,
            gate text NOT NULL,
            through_month first_of_month NOT NULL,
            reason text NOT NULL CHECK (char_length(reason) BETWEEN 2 AND 200),
            state text NOT NULL CHECK (state IN ('PREPARED', 'APPROVED', 'REJECTED')),
            approval_id uuid NOT NULL,
            maker text NOT NULL,
            prepare_date date NOT NULL,
            checker text,
            decide_date date,
            CHECK (num_nulls(checker, decide_date) = CASE state WHEN 'PREPARED' THEN 2 ELSE 0 END),
            CONSTRAINT release_two_persons CHECK (maker <> checker)
        )
    """)
    op.execute(
        "CREATE UNIQUE INDEX payroll_release_open ON payroll_release (benefit_id, gate) WHERE state = 'PREPARED'"
    )
    op.execute("CREATE INDEX payroll_release_given ON payroll_release (benefit_id, gate) WHERE state = 'APPROVED'")
    grant_app("payroll_gate", append_only=True)
    grant_app("payroll_finding", append_only=True)
    grant_app("payroll_release", "SELECT", "INSERT", "UPDATE (state, checker, decide_date)")


def returned() -> None:
    """What the bank sent back, and how often it was tried."""
    op.execute("""
        CREATE TABLE returned_payment (
            payment_id uuid PRIMARY KEY REFERENCES payment,
            benefit_id uuid NOT NULL REFERENCES benefit,
            try integer NOT NULL CHECK (try > 0),
            state text NOT NULL CHECK (state IN ('OWED', 'WAITING', 'SENT', 'PARKED', 'LAPSED')),
            business_date date NOT NULL
        )
    """)
    op.execute("""
        COMMENT ON COLUMN returned_payment.state IS
        'OWED, WAITING for the next payroll, SENT again in one, PARKED after too many tries, LAPSED: it is the fund''s'
    """)
    op.execute("CREATE INDEX returned_payment_benefit ON returned_payment (benefit_id, state)")
    op.execute("CREATE INDEX returned_payment_state ON returned_payment (state, payment_id) WHERE state <> 'SENT'")
    op.execute("""
        INSERT INTO returned_payment (payment_id, benefit_id, try, state, business_date)
        SELECT payment_id, benefit_id, 1,
               CASE WHEN payment.month > benefit.last_month THEN 'LAPSED' ELSE 'OWED' END, answer_date
        FROM payment JOIN benefit USING (benefit_id) WHERE payment.state = 'RETURNED'
    """)
    grant_app("returned_payment", "SELECT", "INSERT", "UPDATE (state)")


def files() -> None:
    """What went to the bank and what it answered, row by row."""
    op.execute("""
        CREATE TABLE payment_file (
            file_id uuid PRIMARY KEY,
            payroll_id uuid NOT NULL REFERENCES payroll,
            adapter text NOT NULL,
            job_id uuid NOT NULL,
            payment_count bigint,
            total_fen fen,
            size bigint,
            digest text CHECK (digest ~ '^[0-9a-f]{64}$'),
            maker text NOT NULL,
            business_date date NOT NULL,
            CHECK (num_nulls(payment_count, total_fen, size, digest) IN (0, 4)),
            UNIQUE (payroll_id, adapter)
        )
    """)
    op.execute("""
        CREATE TABLE payment_file_part (
            file_id uuid NOT NULL REFERENCES payment_file,
            number integer NOT NULL,
            upload_id text NOT NULL,
            digest text NOT NULL,
            size integer NOT NULL,
            payment_count integer NOT NULL,
            total_fen fen NOT NULL,
            PRIMARY KEY (file_id, number)
        )
    """)
    op.execute("""
        CREATE TABLE return_file (
            return_id uuid PRIMARY KEY,
            payroll_id uuid NOT NULL REFERENCES payroll,
            upload_id text NOT NULL,
            digest text NOT NULL,
            job_id uuid NOT NULL,
            row_count integer NOT NULL,
            simulated boolean NOT NULL,
            business_date date NOT NULL
        )
    """)
    op.execute("CREATE INDEX return_file_payroll ON return_file (payroll_id)")
    op.execute("CREATE INDEX return_file_job ON return_file (job_id)")
    op.execute("""
        CREATE TABLE return_row (
            return_id uuid NOT NULL REFERENCES return_file,
            line integer NOT NULL,
            payment_id uuid,
            verdict text NOT NULL CHECK (verdict IN ('ACCEPTED', 'REPEATED', 'REFUSED')),
            code text NOT NULL,
            PRIMARY KEY (return_id, line)
        )
    """)
    grant_app("payment_file", "SELECT", "INSERT", "UPDATE (payment_count, total_fen, size, digest)")
    grant_app("payment_file_part", append_only=True)
    grant_app("return_file", append_only=True)
    grant_app("return_row", append_only=True)
