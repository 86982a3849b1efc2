"""What is asked and written most, made cheaper: the months of a person as two views.

`contribution_month` says what counts, wherever a month is stored. A page of it reads the newest rows of each of its two
halves by the key and no others; a whole life was read for fifty rows.
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
