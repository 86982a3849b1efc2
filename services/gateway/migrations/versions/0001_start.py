"""Grants and the test clock."""

from alembic import op

from chassis.migrate import grant_app

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE person_grant (
            subject text PRIMARY KEY CHECK (length(subject) BETWEEN 3 AND 200),
            person_id uuid NOT NULL,
            name_masked text NOT NULL,
            grant_time timestamptz NOT NULL
        )
        """
    )
    op.execute("COMMENT ON TABLE person_grant IS 'Which insured person stands behind a login; no identity number.'")
    grant_app("person_grant", "SELECT", "INSERT", "UPDATE")
    op.execute(
        """
        CREATE TABLE test_clock (
            is_only boolean PRIMARY KEY DEFAULT true CHECK (is_only),
            business_date date,
            move_time timestamptz NOT NULL
        )
        """
    )
    op.execute("COMMENT ON TABLE test_clock IS 'The business day where it was moved; never in production.'")
    grant_app("test_clock", "SELECT", "INSERT", "UPDATE")
