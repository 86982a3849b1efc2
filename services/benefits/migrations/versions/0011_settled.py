"""What had ended a benefit before a death, heard later, moved its end: it counts again when the death was none."""

from alembic import op

from chassis.migrate import grant_app

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """The end before the death, if there was one."""
    op.execute("ALTER TABLE benefit ADD before_month first_of_month, ADD before_reason text")
    op.execute("""
        ALTER TABLE benefit ADD CONSTRAINT before_says_why CHECK ((before_month IS NULL) = (before_reason IS NULL))
    """)
    op.execute("COMMENT ON COLUMN benefit.before_month IS 'its last month before a death heard later moved it'")
    grant_app("benefit", "UPDATE (before_month, before_reason)")
