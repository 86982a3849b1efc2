"""Records of one person that enrollment merged: what is known under one id counts for all of them."""

from alembic import op

from chassis.migrate import grant_app

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("CREATE TABLE forward (person_id uuid PRIMARY KEY, survivor_id uuid NOT NULL)")
    op.execute("CREATE INDEX forward_survivor ON forward (survivor_id)")
    grant_app("forward")
    # All ids of the person behind one id, the id itself among them.
    op.execute("""
        CREATE FUNCTION same_person(uuid) RETURNS uuid[] LANGUAGE sql STABLE AS $$
            WITH root AS (SELECT coalesce((SELECT survivor_id FROM forward WHERE person_id = $1), $1) AS id)
            SELECT array_agg(id) FROM (
                SELECT id FROM root UNION SELECT person_id FROM forward, root WHERE survivor_id = root.id
            ) AS one
        $$
    """)
