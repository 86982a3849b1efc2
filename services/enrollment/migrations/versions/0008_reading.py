"""What is asked and written most, made cheaper: the months of a person as two views, the entries of accounts.

`contribution_month` says what counts, wherever a month is stored. A page of it reads the newest rows of each of its two
halves by the key and no others; a whole life was read for fifty rows.

Entries and closed years of accounts come by the million in a run. Their account is looked at once for a statement, as
bills are for lines; a look for every row locked and wrote the row of the account twice more. What was booked in a year
lies together in an index that holds the amounts: twelve bookings of an account stand on twelve pages of the table.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0008"
down_revision = "0007"

_OWN = """
    SELECT person_id, extract(year FROM month)::smallint AS year, month, scheme, state, base_fen, employer_fen,
           employee_fen, bill_id, import_source, employer_code
    FROM contribution AS one
    WHERE NOT (scheme = 110 AND EXISTS (
        SELECT FROM departure WHERE departure.person_id = one.person_id AND one.month <= through))
"""
_BROUGHT = """
    SELECT one.person_id, one.year, make_date(one.year, number.month, 1) AS month, insured.scheme,
           CASE WHEN (deemed >> (number.month - 1)) & 1 = 1 THEN 'DEEMED' ELSE 'PAID' END AS state,
           bases[CASE WHEN array_length(bases, 1) = 1 THEN 1 ELSE number.month END] AS base_fen,
           0::bigint AS employer_fen, 0::bigint AS employee_fen, NULL::uuid AS bill_id,
           CASE WHEN line = 0 THEN prefix ELSE prefix || line::text || suffix END AS import_source, employer_code
    FROM history_year AS one JOIN history_source AS origin ON origin.number = one.source
    CROSS JOIN generate_series(1, 12) AS number (month)
    CROSS JOIN (VALUES (110::smallint, 1), (210::smallint, 2), (410::smallint, 4)) AS insured (scheme, bit)
    WHERE (months >> (number.month - 1)) & 1 = 1 AND schemes & bit <> 0
      AND NOT (scheme = 110 AND EXISTS (
        SELECT FROM departure WHERE departure.person_id = one.person_id
          AND make_date(one.year, number.month, 1) <= through AND departure.number > one.departures))
"""


def upgrade() -> None:
    op.execute(f"CREATE VIEW contribution_own AS {_OWN}")
    op.execute(f"CREATE VIEW contribution_brought AS {_BROUGHT}")
    op.execute("""
        CREATE OR REPLACE VIEW contribution_month AS
        SELECT * FROM contribution_own UNION ALL SELECT * FROM contribution_brought
    """)
    grant_app("contribution_own", "SELECT")
    grant_app("contribution_brought", "SELECT")
    accounts()
    bookings()


def accounts() -> None:
    """An entry and a closed year still have their account; nobody may delete an account."""
    op.execute("""
        CREATE FUNCTION entry_has_account() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF EXISTS (
                SELECT FROM (SELECT DISTINCT person_id FROM fresh) AS one
                WHERE NOT EXISTS (SELECT FROM account WHERE account.person_id = one.person_id OFFSET 0)
            ) THEN
                RAISE EXCEPTION 'a booking needs its account'
                    USING ERRCODE = 'foreign_key_violation', CONSTRAINT = TG_TABLE_NAME || '_has_account';
            END IF;
            RETURN NULL;
        END $$
    """)
    for table in ("account_entry", "account_year"):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_person_id_fkey")
        for event in ("INSERT", "UPDATE"):  # rows move when two records become one
            op.execute(f"""
                CREATE TRIGGER {table}_has_account_{event.lower()} AFTER {event} ON {table}
                    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION entry_has_account()
            """)


def bookings() -> None:
    """What was booked in a year, account after account."""
    with op.get_context().autocommit_block():
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS account_entry_of_year ON account_entry (year, person_id)"
            " INCLUDE (booked_month, amount_fen) WHERE kind = 'CONTRIBUTION'"
        )
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS account_entry_booked")
