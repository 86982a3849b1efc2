"""What the first rooms of benefits left out: three kinds of the unemployment fund, ends by two persons, reminders."""

from alembic import op

from chassis.migrate import grant_app

revision = "0008"
down_revision = "0007"

KINDS = (
    "EMPLOYEE_PENSION",
    "UNEMPLOYMENT",
    "GOVERNMENT_PENSION",
    "OCCUPATIONAL_ANNUITY",
    "RESIDENT_PENSION",
    "DISABILITY_ALLOWANCE",
    "INJURY_GRANT",
    "INJURY_ALLOWANCE",
    "INJURY_NURSING",
    "INJURY_MEDICAL_GRANT",
    "INJURY_FUNERAL",
    "INJURY_DEATH_GRANT",
    "INJURY_DEPENDANT",
    "SURVIVOR_FUNERAL",
    "SURVIVOR_GRANT",
    "RESIDENT_FUNERAL",
    "UNEMPLOYMENT_LUMP_SUM",
    "UNEMPLOYMENT_FUNERAL",
    "UNEMPLOYMENT_GRANT",
)
ONE_OFF = (
    "INJURY_GRANT",
    "INJURY_MEDICAL_GRANT",
    "INJURY_FUNERAL",
    "INJURY_DEATH_GRANT",
    "SURVIVOR_FUNERAL",
    "SURVIVOR_GRANT",
    "RESIDENT_FUNERAL",
    "UNEMPLOYMENT_LUMP_SUM",
    "UNEMPLOYMENT_FUNERAL",
    "UNEMPLOYMENT_GRANT",
)
ONCE = {
    "benefit_one_funeral": (
        "person_id",
        ("INJURY_FUNERAL", "SURVIVOR_FUNERAL", "RESIDENT_FUNERAL", "UNEMPLOYMENT_FUNERAL"),
    ),
    "benefit_one_grant": ("person_id", ("SURVIVOR_GRANT", "UNEMPLOYMENT_GRANT")),
    "benefit_one_sum": ("person_id, share", ("UNEMPLOYMENT_LUMP_SUM",)),
}
REQUESTS = ("SUSPEND", "RESUME", "PAYEE", "PLAN", "WRITE_OFF", "END")


def upgrade() -> None:
    kinds()
    _words("keeping_request", "kind", REQUESTS)
    reminders()


def reminders() -> None:
    op.execute("""
        CREATE TABLE reminder (
            reminder_id uuid PRIMARY KEY,
            benefit_id uuid NOT NULL REFERENCES benefit,
            person_id uuid NOT NULL,
            kind text NOT NULL,
            due_by date NOT NULL,
            business_date date NOT NULL,
            sent_date date,
            simulated boolean NOT NULL DEFAULT false,
            CHECK (sent_date IS NOT NULL OR NOT simulated),
            CONSTRAINT reminder_once UNIQUE (benefit_id, due_by)
        )
    """)
    op.execute("COMMENT ON TABLE reminder IS 'a certification that is due soon: one reminder for each due day'")
    op.execute("CREATE INDEX reminder_waiting ON reminder (reminder_id) WHERE sent_date IS NULL")
    grant_app("reminder", "SELECT", "INSERT", "UPDATE (sent_date, simulated)")


def kinds() -> None:
    """What comes once in a life or for a death is once in the table; a revoked determination leaves the place free."""
    for table in ("calculation", "determination", "benefit", "payment"):
        _words(table, "kind", KINDS)
    for table in ("determination", "benefit"):
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_one_off")
        op.execute(f"""
            ALTER TABLE {table} ADD CONSTRAINT {table}_one_off CHECK (
                kind NOT IN ({_list(ONE_OFF)}) OR (last_month IS NOT NULL AND last_month <= first_month))
        """)
    op.execute("DROP INDEX benefit_one_funeral")
    for name, (columns, kinds_) in ONCE.items():
        op.execute(
            f"CREATE UNIQUE INDEX {name} ON benefit ({columns}) "
            f"WHERE kind IN ({_list(kinds_)}) AND end_reason IS DISTINCT FROM 'REVOKED'"
        )


def _words(table: str, column: str, known: tuple[str, ...]) -> None:
    op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_check")
    op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_{column}_check CHECK ({column} IN ({_list(known)}))")


def _list(known: tuple[str, ...]) -> str:
    return ", ".join(f"'{one}'" for one in known)
