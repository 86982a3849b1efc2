"""What the first rooms of benefits left out: the end of a benefit asked for by one person and decided by another."""

from alembic import op

revision = "0008"
down_revision = "0007"

REQUESTS = ("SUSPEND", "RESUME", "PAYEE", "PLAN", "WRITE_OFF", "END")


def upgrade() -> None:
    op.execute("ALTER TABLE keeping_request DROP CONSTRAINT keeping_request_kind_check")
    op.execute(f"ALTER TABLE keeping_request ADD CHECK (kind IN ({_list(REQUESTS)}))")


def _list(known: tuple[str, ...]) -> str:
    return ", ".join(f"'{one}'" for one in known)
