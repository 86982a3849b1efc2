"""Benefits of government, residents, injury, survivors and disability.

Their schemes are heard too, and what a person gets once in a life is once in the table, whoever decides at the same
instant; a revoked determination leaves the place free.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0004"
down_revision = "0003"

SCHEMES = (
    "EMPLOYEE_PENSION",
    "UNEMPLOYMENT",
    "WORK_INJURY",
    "GOVERNMENT_PENSION",
    "OCCUPATIONAL_ANNUITY",
    "RESIDENT_PENSION",
)
ONCE = {
    "benefit_one_pension": ("person_id", ("EMPLOYEE_PENSION", "GOVERNMENT_PENSION", "RESIDENT_PENSION")),
    "benefit_one_funeral": ("person_id", ("INJURY_FUNERAL", "SURVIVOR_FUNERAL", "RESIDENT_FUNERAL")),
    "benefit_once": (
        "person_id, kind, share",
        ("OCCUPATIONAL_ANNUITY", "INJURY_GRANT", "INJURY_MEDICAL_GRANT", "INJURY_DEATH_GRANT", "SURVIVOR_GRANT"),
    ),
}


def upgrade() -> None:
    for table in ("participation", "contribution_year"):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_scheme_check")
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_scheme_check CHECK (scheme IN ({_list(SCHEMES)}))")
    for name, (columns, kinds) in ONCE.items():
        op.execute(
            f"CREATE UNIQUE INDEX {name} ON benefit ({columns}) "
            f"WHERE kind IN ({_list(kinds)}) AND end_reason IS DISTINCT FROM 'REVOKED'"
        )
    op.execute("ALTER TABLE benefit ADD end_document text NOT NULL DEFAULT ''")
    op.execute(
        "COMMENT ON COLUMN benefit.end_document IS 'what an end by decision rests on; empty where a fact ended it'"
    )
    grant_app("benefit", "UPDATE (end_document)")


def _list(known: tuple[str, ...]) -> str:
    return ", ".join(f"'{one}'" for one in known)
