"""Money that came in without a bill, refunds, arrears and differences."""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    pass
