"""Tables of the service that only these tests have."""

from alembic import op

from chassis.migrate import create_ledger, grant_app

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.execute(
        "CREATE TABLE note (id text PRIMARY KEY, total bigint NOT NULL DEFAULT 0, text text NOT NULL DEFAULT '')"
    )
    grant_app("note")
    op.execute("CREATE TABLE stroke (seq bigint GENERATED ALWAYS AS IDENTITY, note text, version bigint, value bigint)")
    grant_app("stroke", append_only=True)
    create_ledger()
