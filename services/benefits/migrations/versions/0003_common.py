"""What all benefits share: kinds, amounts from a month on, differences to pay."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Nothing yet."""
