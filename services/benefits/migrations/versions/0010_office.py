"""What the rooms of the office list quickly."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Determinations and releases that wait are few among many."""
    op.execute("CREATE INDEX determination_waiting ON determination (determination_id) WHERE state = 'PREPARED'")
    op.execute("CREATE INDEX payroll_release_waiting ON payroll_release (release_id) WHERE state = 'PREPARED'")
