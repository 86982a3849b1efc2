"""The insured of a month are counted per scheme from indexes alone.

A person has one participation of a scheme at a time, so rows are persons. Scheme and month repeat, and repeated keys
are kept once with a list of places: the index is a fraction of the table, and read without it.
"""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS participation_running ON participation (scheme, start_month)"
            " WHERE end_month IS NULL"
        )
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS participation_ending ON participation"
            " (end_month, scheme, start_month) WHERE end_month IS NOT NULL"
        )
