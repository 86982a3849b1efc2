"""Insurance without an employment: flexible workers, residents, projects; government posts."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    pass
