"""The law as it was known is kept by its version, once; a calculation says which release made it.

What was calculated before has no release, and its law is kept only where a release of today still reads the same files.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Laws by the hash of their content; nobody changes one."""
    op.execute("""
        CREATE TABLE law_snapshot (
            version text PRIMARY KEY CHECK (version ~ '^[0-9a-f]{64}$'),
            content bytea NOT NULL,
            release text NOT NULL,
            kept_time timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("COMMENT ON COLUMN law_snapshot.content IS 'zlib of the canonical text whose SHA-256 is the version'")
    grant_app("law_snapshot", append_only=True)
    op.execute("ALTER TABLE calculation ADD release text CHECK (release <> '')")
    op.execute("COMMENT ON COLUMN calculation.release IS 'version of the release that calculated; none: not recorded'")
