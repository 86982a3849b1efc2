"""Land-expropriated farmers, premiums on behalf, and the rest of the register."""

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Nothing yet."""
