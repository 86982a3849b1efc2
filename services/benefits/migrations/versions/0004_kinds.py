"""Benefits of government, residents, injury, survivors and disability."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Nothing yet."""
