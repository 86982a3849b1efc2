"""References of devices alone have an index of their own among the places.

The place that belongs to a card itself carries the reference of the card, which is unique and found there. A second
random index over the same four million values cost 42 bytes and a page somewhere in memory for each card. Whoever shows
a credential shows a device, so only those are looked up here.
"""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    with op.get_context().autocommit_block():  # first, because what is done here stays when the rest fails
        op.execute(
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS binding_device_reference ON binding (reference)"
            " WHERE role <> 'server'"
        )
    op.execute("ALTER TABLE binding DROP CONSTRAINT binding_reference_key")
