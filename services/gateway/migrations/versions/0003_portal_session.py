"""Sessions of browsers."""

from alembic import op

from chassis.migrate import grant_app

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE portal_session (
            id_hash bytea PRIMARY KEY CHECK (length(id_hash) = 32),
            kind text NOT NULL CHECK (kind IN ('person', 'staff')),
            content bytea NOT NULL,
            create_time timestamptz NOT NULL,
            use_time timestamptz NOT NULL,
            end_time timestamptz NOT NULL CHECK (end_time > create_time)
        )
        """
    )
    op.execute("CREATE INDEX portal_session_use_time ON portal_session (use_time)")
    op.execute("COMMENT ON TABLE portal_session IS 'Logins of browsers: the id hashed, tokens and names sealed.'")
    grant_app("portal_session")
