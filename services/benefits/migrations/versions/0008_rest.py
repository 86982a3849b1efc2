"""What the first rooms of benefits left out."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing yet."""
