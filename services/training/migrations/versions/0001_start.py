"""What training knows from the register and of benefits, and what it records, decides, pays and books.

Months are stored as their first day, amounts as whole fen with their bounds, states as words of closed lists. Nothing
is ever deleted: the app role has no right to.
"""

from alembic import op

from chassis.migrate import create_ledger, grant_app

revision = "0001"
down_revision = None

_TYPES = """
CREATE DOMAIN first_of_month AS date CHECK (extract(day FROM VALUE) = 1);
CREATE DOMAIN fen AS bigint CHECK (VALUE BETWEEN 0 AND 100000000000000);
"""

# What others announced. No foreign keys between these: aggregates arrive in any order.
_HEARD = """
CREATE TABLE person (person_id uuid PRIMARY KEY);
CREATE TABLE employment (
  participation_id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  start_month first_of_month NOT NULL,
  end_month first_of_month
);
CREATE INDEX employment_person ON employment (person_id);
COMMENT ON TABLE employment IS 'participations in the unemployment insurance';
CREATE TABLE insured_year (
  person_id uuid NOT NULL,
  year smallint NOT NULL CHECK (year BETWEEN 1800 AND 9999),
  paid integer NOT NULL CHECK (paid BETWEEN 0 AND 4095),
  PRIMARY KEY (person_id, year)
);
COMMENT ON COLUMN insured_year.paid IS 'paid months of unemployment insurance: bit 0 is January, bit 11 December';
CREATE TABLE unemployment_benefit (
  benefit_id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  first_month first_of_month NOT NULL,
  last_month first_of_month NOT NULL
);
CREATE INDEX unemployment_benefit_person ON unemployment_benefit (person_id);
"""

_DECIDED = """
CREATE TABLE certificate (
  certificate_id uuid PRIMARY KEY,
  person_id uuid NOT NULL REFERENCES person,
  issuer_type text NOT NULL CHECK (issuer_type IN ('ASSESSMENT_BODY', 'EMPLOYER', 'STATE_QUALIFICATION')),
  number_sealed bytea NOT NULL,
  number_index bytea NOT NULL CHECK (octet_length(number_index) = 16),
  number_tail text NOT NULL CHECK (length(number_tail) = 4),
  occupation text NOT NULL CHECK (occupation ~ '^[1-8]-[0-9]{2}-[0-9]{2}-[0-9]{2}(-[0-9]{2})?$'),
  level smallint NOT NULL CHECK (level BETWEEN 1 AND 5),
  issue_date date NOT NULL,
  subsidised_elsewhere boolean NOT NULL,
  record_date date NOT NULL,
  CONSTRAINT certificate_number UNIQUE (issuer_type, number_index)
);
CREATE INDEX certificate_person ON certificate (person_id, certificate_id);
CREATE TABLE payee (
  payee_id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  name_sealed bytea NOT NULL,
  account_sealed bytea NOT NULL,
  account_index bytea NOT NULL CHECK (octet_length(account_index) = 16),
  account_tail text NOT NULL CHECK (account_tail ~ '^[0-9]{4}$')
);
CREATE TABLE calculation (
  digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
  policy_version text NOT NULL,
  inputs jsonb NOT NULL,
  statement jsonb NOT NULL,
  total_fen fen NOT NULL,
  provisional boolean NOT NULL
);
CREATE TABLE claim (
  claim_id uuid PRIMARY KEY,
  person_id uuid NOT NULL REFERENCES person,
  certificate_id uuid NOT NULL REFERENCES certificate,
  state text NOT NULL CHECK (state IN ('SUBMITTED', 'PREPARED', 'APPROVED', 'REJECTED')),
  apply_date date NOT NULL,
  submitter text NOT NULL,
  payee_id uuid NOT NULL REFERENCES payee,
  failures jsonb NOT NULL CHECK (jsonb_typeof(failures) = 'array'),
  insured_months integer NOT NULL CHECK (insured_months >= 0),
  urgent boolean NOT NULL,
  digest bytea REFERENCES calculation,
  approval_id uuid,
  maker text,
  prepare_date date,
  checker text,
  decide_date date,
  rejection_reason text NOT NULL DEFAULT '',
  CHECK (num_nulls(digest, approval_id, maker, prepare_date) IN (0, 4)),
  CHECK (state <> 'SUBMITTED' OR digest IS NULL),
  CHECK (state NOT IN ('PREPARED', 'APPROVED') OR (digest IS NOT NULL AND failures = '[]')),
  CHECK (num_nulls(checker, decide_date) = CASE WHEN state IN ('APPROVED', 'REJECTED') THEN 0 ELSE 2 END),
  CHECK ((state = 'REJECTED') = (rejection_reason <> '')),
  CONSTRAINT claim_two_persons CHECK (maker <> checker AND submitter <> checker)
);
CREATE UNIQUE INDEX claim_one_per_certificate ON claim (certificate_id) WHERE state <> 'REJECTED';
CREATE INDEX claim_person ON claim (person_id, claim_id);
CREATE INDEX claim_waiting ON claim (claim_id) WHERE state IN ('SUBMITTED', 'PREPARED');
"""

# A grant is for ever: also an order that the bank returned is owed and keeps its place.
_PAID = """
CREATE TABLE subsidy_order (
  order_id uuid PRIMARY KEY,
  claim_id uuid NOT NULL UNIQUE REFERENCES claim,
  person_id uuid NOT NULL REFERENCES person,
  certificate_id uuid NOT NULL REFERENCES certificate,
  occupation text NOT NULL,
  level smallint NOT NULL CHECK (level BETWEEN 1 AND 5),
  apply_date date NOT NULL,
  apply_year smallint NOT NULL,
  place smallint NOT NULL CHECK (place > 0),
  amount_fen fen NOT NULL CHECK (amount_fen > 0),
  digest bytea NOT NULL REFERENCES calculation,
  payee_id uuid NOT NULL REFERENCES payee,
  release_date date NOT NULL,
  state text NOT NULL CHECK (state IN ('RELEASED', 'CONFIRMED', 'RETURNED')),
  bank_reference text NOT NULL DEFAULT '',
  simulated boolean NOT NULL DEFAULT false,
  answer_date date,
  CONSTRAINT order_once_per_certificate UNIQUE (certificate_id),
  CONSTRAINT order_once_per_occupation_and_level UNIQUE (person_id, occupation, level),
  CONSTRAINT order_place_in_year UNIQUE (person_id, apply_year, place),
  CHECK (apply_year = extract(year FROM apply_date)),
  CHECK ((state = 'RELEASED') = (answer_date IS NULL)),
  CHECK ((state = 'RELEASED') = (bank_reference = '')),
  CHECK (answer_date IS NOT NULL OR NOT simulated)
);
CREATE INDEX subsidy_order_released ON subsidy_order (order_id) WHERE state = 'RELEASED';
COMMENT ON COLUMN subsidy_order.place IS 'the how-manieth grant of the person in the year of the application';
"""

_HEARD_AGAIN = ("employment", "insured_year", "unemployment_benefit")
_FOR_EVER = ("payee", "calculation")
_COLUMNS_THAT_CHANGE = {
    # Persons never change; the right to one column is what lets the service lock a row.
    "person": "person_id",
    "certificate": "subsidised_elsewhere",
    "claim": "state, failures, insured_months, urgent, digest, approval_id, maker, prepare_date, checker, decide_date,"
    " rejection_reason",
    "subsidy_order": "state, bank_reference, simulated, answer_date",
}


def upgrade() -> None:
    for statements in (_TYPES, _HEARD, _DECIDED, _PAID):
        for statement in statements.strip().removesuffix(";").split(";\n"):
            op.execute(statement)
    create_ledger()
    for table in _HEARD_AGAIN:
        grant_app(table, "SELECT", "INSERT", "UPDATE")
    for table in _FOR_EVER:
        grant_app(table, append_only=True)
    for table, columns in _COLUMNS_THAT_CHANGE.items():
        grant_app(table, "SELECT", "INSERT", f"UPDATE ({columns})")
