"""Relations moved in and out, and control sums of what an office delivered."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    pass
