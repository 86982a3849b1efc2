"""What the chunks of a payroll add up to by kind: kept as a chunk is written, so that no page adds up a city."""

from alembic import op

from chassis.migrate import grant_app

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Payrolls from before have no sums; they are added up when somebody looks."""
    op.execute("ALTER TABLE payroll_chunk ADD kinds jsonb CHECK (jsonb_typeof(kinds) = 'object')")
    op.execute("COMMENT ON COLUMN payroll_chunk.kinds IS 'count and fen of its payments by \"kind|item\"'")
    grant_app("payroll_chunk", "UPDATE (kinds)")
