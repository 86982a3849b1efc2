"""Claimed cards are counted from an index of their own: one live card a person, claimed when its holder agreed."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS card_claimed ON card (level)"
            " WHERE state <> 'CANCELLED' AND consent_date IS NOT NULL"
        )
