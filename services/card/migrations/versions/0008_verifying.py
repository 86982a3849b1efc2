"""Cards that were issued before there were places in status lists, for the job that gives them theirs.

Written down once, here, so that nobody has to look through millions of cards at every start to find none.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("CREATE TABLE card_unplaced (card_id uuid PRIMARY KEY REFERENCES card)")
    op.execute("""
        INSERT INTO card_unplaced (card_id)
        SELECT card_id FROM card
        WHERE status_of(state) <> 1
          AND NOT EXISTS (SELECT 1 FROM binding WHERE binding.card_id = card.card_id AND role = 'server')
    """)
    grant_app("card_unplaced", "SELECT", "DELETE", "UPDATE (card_id)")  # the last to lock what is taken
