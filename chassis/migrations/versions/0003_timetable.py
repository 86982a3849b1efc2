"""The timetable: what a service starts by itself, each start once, and the business day that a test moved."""

from alembic import op

from chassis.migrate import grant_app

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # The day of the platform where it was moved on purpose; a production process never reads it.
    op.execute("""
        CREATE TABLE timetable_clock (
            one boolean PRIMARY KEY DEFAULT true CHECK (one),
            moved date
        )
    """)
    op.execute("INSERT INTO timetable_clock DEFAULT VALUES")
    grant_app("timetable_clock", "SELECT", "UPDATE (moved)")
    # One row for each entry of the release that runs; its lock lets one process at a time look at an entry.
    op.execute("""
        CREATE TABLE timetable_entry (
            entry text PRIMARY KEY,
            zh text NOT NULL,
            en text NOT NULL,
            when_zh text NOT NULL,
            when_en text NOT NULL,
            off text NOT NULL,              -- why it does not start; empty: it does
            since date NOT NULL,            -- no start of a day before this one is owed
            seen date NOT NULL,             -- business day on which it was looked at last
            next timestamptz
        )
    """)
    grant_app("timetable_entry")
    op.execute("""
        CREATE TABLE timetable_run (
            entry text NOT NULL,
            business_date date NOT NULL,
            state text NOT NULL CHECK (state IN ('STARTED', 'DONE', 'NEEDLESS', 'FAILED', 'GIVEN_UP')),
            job_id uuid REFERENCES job (id),
            attempts integer NOT NULL DEFAULT 1,
            left_out integer NOT NULL DEFAULT 0,    -- older starts that this one stands for, or that were too old
            reason text NOT NULL DEFAULT '',
            due timestamptz NOT NULL DEFAULT clock_timestamp(),     -- FAILED: not tried again before
            created timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (entry, business_date)
        )
    """)
    op.execute("CREATE INDEX timetable_run_open ON timetable_run (entry) WHERE state NOT IN ('DONE', 'NEEDLESS')")
    grant_app("timetable_run", "SELECT", "INSERT", "UPDATE")
