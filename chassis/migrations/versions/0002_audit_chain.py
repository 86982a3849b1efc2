"""The chain of the audit, its signed checkpoints, and which sealed records somebody opened in the last hour."""

from alembic import op

from chassis.migrate import grant_app

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    chain()
    quota()


def chain() -> None:
    # Beside the rows and not in them: an audit row is written once, and numbering it would write it again.
    op.execute("""
        CREATE TABLE audit_seal (
            number bigint PRIMARY KEY CHECK (number > 0),   -- without a gap, in the order of sealing
            audit_seq bigint NOT NULL UNIQUE,
            hash bytea NOT NULL CHECK (length(hash) = 33)   -- one byte for the function, then the hash of the chain
        )
    """)
    grant_app("audit_seal", append_only=True)
    op.execute("""
        CREATE TABLE audit_checkpoint (
            number bigint PRIMARY KEY CHECK (number > 0),
            last bigint NOT NULL UNIQUE,                    -- number of the last row that it signs
            body text NOT NULL,                             -- what is signed
            signature bytea NOT NULL CHECK (length(signature) = 64),
            created timestamptz NOT NULL DEFAULT clock_timestamp()
        )
    """)
    grant_app("audit_checkpoint", append_only=True)
    # Where the sealer stands; its lock lets one seal at a time. Nothing here is evidence, `hrss audit verify` computes
    # everything from rows, seals and checkpoints. Gaps: numbers below the frontier whose rows may still appear.
    op.execute("""
        CREATE TABLE audit_sealer (
            one boolean PRIMARY KEY DEFAULT true CHECK (one),
            frontier bigint NOT NULL DEFAULT 0,
            gaps jsonb NOT NULL DEFAULT '[]',
            streamed bigint NOT NULL DEFAULT 0              -- checkpoints up to this one are in the stream
        )
    """)
    op.execute("INSERT INTO audit_sealer DEFAULT VALUES")
    grant_app("audit_sealer", "SELECT", "UPDATE")
    grant_app("audit_seq_seq", "SELECT", kind="SEQUENCE")


def quota() -> None:
    # One row for each record that a human opened within the last hour: whoever opens it twice counts once.
    op.execute("""
        CREATE TABLE unsealed (
            subject text NOT NULL,          -- the human, not the login
            record bytea NOT NULL,          -- digest of table and row
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (subject, record)
        )
    """)
    op.execute("CREATE INDEX unsealed_at ON unsealed (subject, at)")
    grant_app("unsealed", "SELECT", "INSERT", "UPDATE (at)")
    op.execute("""
        CREATE TABLE unseal_alarm (
            subject text NOT NULL,
            hour timestamptz NOT NULL,
            method text NOT NULL,           -- of the first call that was refused
            count integer NOT NULL DEFAULT 1,
            PRIMARY KEY (subject, hour)
        )
    """)
    grant_app("unseal_alarm", "SELECT", "INSERT", "UPDATE (count)")
    op.execute("""
        CREATE FUNCTION purge_unsealed() RETURNS bigint
        LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
            WITH gone AS (DELETE FROM unsealed WHERE at < now() - interval '1 day' RETURNING 1)
            SELECT count(*) FROM gone
        $$
    """)
    op.execute("REVOKE ALL ON FUNCTION purge_unsealed() FROM PUBLIC")
    grant_app("purge_unsealed()", "EXECUTE", kind="FUNCTION")
