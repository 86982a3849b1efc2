"""Shapes that runs of a city need: keys that a statement looks up once for all its rows.

A foreign key is looked up row by row, by a query of its own, and locks what it finds: two thirds of the time of an
adjustment. Rows that are never deleted and never change their key need no lock, so each statement looks its keys up by
itself (docs/decisions/0250).
"""

from alembic import op

revision = "0009"
down_revision = "0008"

# Which columns of a table name rows of which other table, and the statements that may write these columns.
KEYS = {
    "calculation": (("INSERT",), {"terms_id": ("adjustment", "adjustment_id")}),
    "benefit_amount": (("INSERT",), {"benefit_id": ("benefit", "benefit_id"), "digest": ("calculation", "digest")}),
    "difference": (("INSERT",), {"benefit_id": ("benefit", "benefit_id"), "digest": ("calculation", "digest")}),
    "benefit": (("INSERT", "UPDATE"), {"digest": ("calculation", "digest")}),
    "payment": (
        ("INSERT",),
        {
            "payroll_id": ("payroll", "payroll_id"),
            "benefit_id": ("benefit", "benefit_id"),
            "digest": ("calculation", "digest"),
            "payee_id": ("payee", "payee_id"),
        },
    ),
}


def upgrade() -> None:
    for table, (events, columns) in KEYS.items():
        looked_up_once(table, events, columns)
    deaths()
    # What was paid of one benefit: asked when it ends, and of nobody else's payments.
    op.execute("CREATE INDEX payment_benefit ON payment (benefit_id, month)")
    # Most differences wait for their payment: they need not stand in its index.
    op.execute("ALTER TABLE difference DROP CONSTRAINT difference_payment_id_key")
    op.execute("CREATE UNIQUE INDEX difference_payment ON difference (payment_id) WHERE payment_id IS NOT NULL")


def deaths() -> None:
    """The gate of a payroll asks of everybody whether they died: few did, and their index is small."""
    op.execute("CREATE INDEX person_died ON person (person_id) INCLUDE (died_month) WHERE died_month IS NOT NULL")
    op.execute(
        "CREATE INDEX participation_died ON participation (person_id) INCLUDE (end_month) WHERE end_reason = 'DIED'"
    )


def looked_up_once(table: str, events: tuple[str, ...], columns: dict[str, tuple[str, str]]) -> None:
    """What a row names still exists; nobody may delete it or give it another key.

    Each key is looked for in the index (`OFFSET 0`, no sequential scan), also when the plan was made for other sizes.
    """
    looks = "".join(
        f"""
            IF EXISTS (
                SELECT FROM (SELECT DISTINCT {column} AS key FROM fresh WHERE {column} IS NOT NULL) AS one
                WHERE NOT EXISTS (SELECT FROM {other} WHERE {other}.{key} = one.key OFFSET 0)
            ) THEN
                RAISE EXCEPTION 'a row of {table} names no row of {other}'
                    USING ERRCODE = 'foreign_key_violation', CONSTRAINT = '{table}_{column}_fkey';
            END IF;"""  # noqa: S608 - constants
        for column, (other, key) in columns.items()
    )
    op.execute(f"""
        CREATE FUNCTION {table}_keys() RETURNS trigger LANGUAGE plpgsql SET enable_seqscan = off AS $$
        BEGIN{looks}
            RETURN NULL;
        END $$
    """)
    for column in columns:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_fkey")
    for event in events:
        op.execute(f"""
            CREATE TRIGGER {table}_keys_{event.lower()} AFTER {event} ON {table}
                REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION {table}_keys()
        """)
