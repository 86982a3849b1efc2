"""Runs over the whole city: bills of a month and interest of a year in set form."""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    pass
