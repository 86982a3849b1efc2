"""Holders whose record went up in another one: which one, for whoever looks at their cards."""

from alembic import op

from chassis.migrate import grant_app

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE holder ADD COLUMN survivor_id uuid")
    grant_app("holder", "UPDATE (survivor_id)")
