"""The life of a benefit after it started: certification, suspension, another payee, what was paid too much.

Amounts of a recovery never go down: what comes back, what is written off and what turned out not to be owed are counted
beside it, and together they never exceed it.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0005"
down_revision = "0004"

_TABLES = """
CREATE TABLE certification (
  certification_id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  share text NOT NULL DEFAULT '',
  source text NOT NULL CHECK (source IN ('FACE', 'COUNTER', 'VISIT', 'ENTRUSTED', 'DATA_MATCH')),
  certified_date date NOT NULL,
  evidence text NOT NULL CHECK (evidence <> ''),
  simulated boolean NOT NULL DEFAULT false,
  recorded_by text NOT NULL,
  business_date date NOT NULL,
  CONSTRAINT certification_once UNIQUE (person_id, share, source, evidence)
);
CREATE INDEX certification_day ON certification (business_date);
CREATE TABLE certification_standing (
  person_id uuid NOT NULL,
  share text NOT NULL DEFAULT '',
  last_date date NOT NULL,
  PRIMARY KEY (person_id, share)
);
COMMENT ON TABLE certification_standing IS 'the last success of each beneficiary; of merged records under the survivor';
CREATE TABLE suspension (
  suspension_id uuid PRIMARY KEY,
  benefit_id uuid NOT NULL REFERENCES benefit,
  person_id uuid NOT NULL,
  reason text NOT NULL,
  evidence text NOT NULL DEFAULT '',
  from_month first_of_month NOT NULL,
  business_date date NOT NULL,
  closed_date date,
  paid_from first_of_month,
  forfeited_through first_of_month,
  CHECK (paid_from IS NULL OR closed_date IS NOT NULL),
  CHECK (forfeited_through IS NULL OR forfeited_through >= from_month)
);
CREATE UNIQUE INDEX suspension_open ON suspension (benefit_id) WHERE closed_date IS NULL;
CREATE INDEX suspension_benefit ON suspension (benefit_id, suspension_id);
COMMENT ON COLUMN suspension.paid_from IS 'first month paid again; null while it lasts or when the benefit ended';
COMMENT ON COLUMN suspension.forfeited_through IS 'last month that is never paid, where the reason takes months away';
CREATE TABLE payee_change (
  benefit_id uuid NOT NULL REFERENCES benefit,
  number integer NOT NULL CHECK (number > 0),
  old_payee_id uuid NOT NULL REFERENCES payee,
  payee_id uuid NOT NULL REFERENCES payee,
  business_date date NOT NULL,
  PRIMARY KEY (benefit_id, number)
);
CREATE TABLE recovery (
  recovery_id uuid PRIMARY KEY,
  benefit_id uuid NOT NULL REFERENCES benefit,
  person_id uuid NOT NULL,
  kind text NOT NULL,
  reason text NOT NULL,
  cause_id uuid,
  first_month first_of_month NOT NULL,
  last_month first_of_month NOT NULL CHECK (last_month >= first_month),
  amount_fen fen NOT NULL CHECK (amount_fen > 0),
  recovered_fen fen NOT NULL DEFAULT 0,
  written_off_fen fen NOT NULL DEFAULT 0,
  cancelled_fen fen NOT NULL DEFAULT 0,
  found_date date NOT NULL,
  CONSTRAINT recovery_never_more_than_owed CHECK (
    recovered_fen >= 0 AND written_off_fen >= 0 AND cancelled_fen >= 0
    AND recovered_fen + written_off_fen + cancelled_fen <= amount_fen),
  CONSTRAINT recovery_once UNIQUE (benefit_id, cause_id)
);
CREATE INDEX recovery_person ON recovery (person_id, recovery_id);
CREATE INDEX recovery_open ON recovery (recovery_id)
  WHERE recovered_fen + written_off_fen + cancelled_fen < amount_fen;
COMMENT ON COLUMN recovery.cause_id IS 'the recomputation that found it; null where whole payments were not owed';
CREATE TABLE recovery_plan (
  plan_id uuid PRIMARY KEY,
  recovery_id uuid NOT NULL REFERENCES recovery,
  method text NOT NULL CHECK (method IN ('INSTALMENT', 'DEDUCTION')),
  monthly_fen fen NOT NULL CHECK (monthly_fen > 0),
  first_month first_of_month NOT NULL,
  total_fen fen NOT NULL CHECK (total_fen > 0),
  benefit_id uuid REFERENCES benefit,
  agreement text NOT NULL CHECK (agreement <> ''),
  business_date date NOT NULL,
  replaced_date date,
  CHECK ((method = 'DEDUCTION') = (benefit_id IS NOT NULL))
);
CREATE UNIQUE INDEX recovery_plan_one ON recovery_plan (recovery_id) WHERE replaced_date IS NULL;
CREATE UNIQUE INDEX recovery_plan_benefit ON recovery_plan (benefit_id) WHERE replaced_date IS NULL;
CREATE TABLE recovery_entry (
  entry_id uuid PRIMARY KEY,
  recovery_id uuid NOT NULL REFERENCES recovery,
  way text NOT NULL CHECK (way IN ('COUNTER', 'BANK', 'DEDUCTION', 'RETURNED', 'WRITTEN_OFF', 'CANCELLED')),
  amount_fen fen NOT NULL CHECK (amount_fen > 0),
  reference text NOT NULL,
  payment_id uuid REFERENCES payment,
  business_date date NOT NULL
);
CREATE INDEX recovery_entry_recovery ON recovery_entry (recovery_id, entry_id);
CREATE UNIQUE INDEX recovery_receipt ON recovery_entry (reference) WHERE way IN ('COUNTER', 'BANK');
CREATE TABLE deduction (
  payment_id uuid PRIMARY KEY REFERENCES payment,
  recovery_id uuid NOT NULL REFERENCES recovery,
  amount_fen fen NOT NULL CHECK (amount_fen > 0),
  state text NOT NULL DEFAULT 'HELD' CHECK (state IN ('HELD', 'TAKEN', 'RELEASED'))
);
CREATE INDEX deduction_recovery ON deduction (recovery_id) WHERE state = 'HELD';
COMMENT ON TABLE deduction IS 'how much less than its amount the bank is told to pay; taken when the bank confirms';
CREATE TABLE keeping_request (
  keeping_request_id uuid PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('SUSPEND', 'RESUME', 'PAYEE', 'PLAN', 'WRITE_OFF')),
  benefit_id uuid NOT NULL REFERENCES benefit,
  recovery_id uuid REFERENCES recovery,
  person_id uuid NOT NULL,
  payload bytea NOT NULL,
  evidence text NOT NULL,
  approval_id uuid NOT NULL,
  state text NOT NULL DEFAULT 'WAITING' CHECK (state IN ('WAITING', 'DONE', 'REJECTED')),
  business_date date NOT NULL
);
CREATE INDEX keeping_request_waiting ON keeping_request (keeping_request_id) WHERE state = 'WAITING';
CREATE INDEX benefit_suspended ON benefit (suspend_reason, benefit_id) WHERE state = 'SUSPENDED'
"""

# The last day on which the beneficiary of each benefit was known to be entitled: the latest certification, else the
# start of payment. Records that were merged count as one.
_CERTIFIED = """
CREATE VIEW certified AS
SELECT benefit_id, benefit.person_id, coalesce(survivor_id, benefit.person_id) AS root_id, benefit.kind, benefit.state,
       benefit.last_month, benefit.suspended_from, benefit.suspend_reason,
       greatest(standing.last_date, decide_date, benefit.first_month) AS last_date,
       standing.last_date IS NOT NULL AS is_certified
FROM benefit JOIN determination USING (determination_id)
LEFT JOIN forward ON forward.person_id = benefit.person_id
LEFT JOIN certification_standing AS standing
  ON standing.person_id = coalesce(survivor_id, benefit.person_id)
  AND standing.share = CASE benefit.kind WHEN 'INJURY_DEPENDANT' THEN benefit.share ELSE '' END
WHERE benefit.state <> 'ENDED'
"""

# What the app role may change later; nothing is ever deleted.
_CHANGES = {
    "certification_standing": "last_date",
    "suspension": "closed_date, paid_from, forfeited_through",
    "recovery": "recovered_fen, written_off_fen, cancelled_fen",
    "recovery_plan": "replaced_date",
    "deduction": "state",
    "keeping_request": "state",
}
_FOR_EVER = ("certification", "payee_change", "recovery_entry")


def upgrade() -> None:
    """A withdrawn month may be paid later; a payment found overpaid may turn out to be owed after all."""
    for statement in _TABLES.strip().split(";\n"):
        op.execute(statement)
    for table in _FOR_EVER:
        grant_app(table, append_only=True)
    for table, columns in _CHANGES.items():
        grant_app(table, "SELECT", "INSERT", f"UPDATE ({columns})")
    op.execute(_CERTIFIED)
    grant_app("certified", "SELECT")
    op.execute("DROP INDEX payment_once_per_benefit")
    op.execute("""
        CREATE UNIQUE INDEX payment_once_per_benefit ON payment (benefit_id, month)
        WHERE item = 'MONTH' AND state <> 'WITHDRAWN'
    """)
    op.execute("ALTER TABLE overpayment ADD recovery_id uuid REFERENCES recovery, ADD cancelled_date date")
    op.execute("ALTER TABLE overpayment DROP CONSTRAINT overpayment_reason_check")
    op.execute("ALTER TABLE overpayment ADD CHECK (reason ~ '^[A-Z][A-Z_]{2,40}$')")
    op.execute("CREATE INDEX overpayment_benefit ON overpayment (benefit_id, month)")
    grant_app("overpayment", "UPDATE (reason, found_date, settled_date, recovery_id, cancelled_date)")
