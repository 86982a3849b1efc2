"""Certificates by their day and confirmed payments by theirs, for the counts of the plan."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS certificate_issue_date ON certificate (issue_date)")
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS subsidy_order_confirmed ON subsidy_order (answer_date)"
            " WHERE state = 'CONFIRMED'"
        )
