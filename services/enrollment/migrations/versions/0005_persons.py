"""What was known of a person and when; persons that were merged; deaths."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    pass
