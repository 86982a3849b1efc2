"""What benefits knows from the register, and what it determines, pays and books.

Months are stored as their first day. Every amount is a whole number of fen with its bounds, every state a word of a
closed list: SQLModel validates nothing, so the database does. Nothing is ever deleted: the app role has no right to.
"""

from alembic import op

from chassis.migrate import create_ledger, grant_app

revision = "0001"
down_revision = None

# 10^14 fen are more than the fund ever holds, and far inside a bigint: sums of amounts cannot overflow either.
_TYPES = """
CREATE DOMAIN first_of_month AS date CHECK (extract(day FROM VALUE) = 1);
CREATE DOMAIN fen AS bigint CHECK (VALUE BETWEEN 0 AND 100000000000000);
"""

# What enrollment announced. No foreign keys between these: aggregates arrive in any order.
_HEARD = """
CREATE TABLE person (
  person_id uuid PRIMARY KEY,
  birth_date date NOT NULL,
  sex text NOT NULL CHECK (sex IN ('MALE', 'FEMALE')),
  division text NOT NULL CHECK (division ~ '^[0-9]{6}$')
);
CREATE TABLE participation (
  participation_id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  employer_id uuid NOT NULL,
  scheme text NOT NULL CHECK (scheme IN ('EMPLOYEE_PENSION', 'UNEMPLOYMENT', 'WORK_INJURY')),
  start_month first_of_month NOT NULL,
  end_month first_of_month,
  end_reason text CHECK (end_reason IN ('RESIGNED', 'DISMISSED', 'CONTRACT_EXPIRED', 'RETIRED', 'DIED')),
  track text CHECK (track IN ('male_60', 'female_55', 'female_50')),
  division text NOT NULL CHECK (division ~ '^[0-9]{6}$'),
  ended_after bigint NOT NULL DEFAULT 0 CHECK (ended_after >= 0),
  CHECK ((end_month IS NULL) = (end_reason IS NULL))
);
COMMENT ON COLUMN participation.ended_after IS 'version of the contributions to be known before the end is used';
CREATE INDEX participation_person ON participation (person_id, scheme, start_month);
CREATE TABLE contribution_year (
  person_id uuid NOT NULL,
  scheme text NOT NULL CHECK (scheme IN ('EMPLOYEE_PENSION', 'UNEMPLOYMENT', 'WORK_INJURY')),
  year smallint NOT NULL CHECK (year BETWEEN 1800 AND 9999),
  bases_fen bigint[] NOT NULL CHECK (array_length(bases_fen, 1) = 12 AND array_position(bases_fen, NULL) IS NULL
                                     AND 0 <= ALL (bases_fen)),
  states text NOT NULL CHECK (states ~ '^[PUD.]{12}$'),
  PRIMARY KEY (person_id, scheme, year)
);
COMMENT ON COLUMN contribution_year.states IS
  'one letter per month: P paid, U billed and not paid, D deemed, . nothing known';
CREATE TABLE account (
  person_id uuid PRIMARY KEY,
  balance_fen fen NOT NULL,
  settled_month first_of_month,
  settled_balance_fen fen,
  settled_provisional boolean,
  settled_after bigint NOT NULL DEFAULT 0 CHECK (settled_after >= 0),
  CHECK (num_nulls(settled_month, settled_balance_fen, settled_provisional) IN (0, 3))
);
COMMENT ON COLUMN account.settled_after IS 'version of the contributions to be known before this is used';
CREATE TABLE account_credit (
  person_id uuid NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  kind text NOT NULL CHECK (kind IN ('CONTRIBUTION', 'INTEREST', 'IMPORTED_BALANCE')),
  year smallint NOT NULL CHECK (year BETWEEN 1800 AND 9999),
  booking_month first_of_month NOT NULL,
  amount_fen bigint NOT NULL,
  balance_fen fen NOT NULL,
  PRIMARY KEY (person_id, version)
);
"""

_DECIDED = """
CREATE TABLE payee (
  payee_id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  name_sealed bytea NOT NULL,
  account_sealed bytea NOT NULL,
  account_index bytea NOT NULL CHECK (octet_length(account_index) = 16),
  account_tail text NOT NULL CHECK (account_tail ~ '^[0-9]{4}$')
);
CREATE INDEX payee_account ON payee (account_index);
CREATE TABLE calculation (
  digest bytea PRIMARY KEY CHECK (octet_length(digest) = 32),
  kind text NOT NULL CHECK (kind IN ('EMPLOYEE_PENSION', 'UNEMPLOYMENT')),
  policy_version text NOT NULL,
  inputs jsonb NOT NULL,
  statement jsonb NOT NULL,
  total_fen fen NOT NULL,
  provisional boolean NOT NULL
);
CREATE TABLE determination (
  determination_id uuid PRIMARY KEY,
  person_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('EMPLOYEE_PENSION', 'UNEMPLOYMENT')),
  state text NOT NULL CHECK (state IN ('PREPARED', 'APPROVED', 'REJECTED')),
  first_month first_of_month NOT NULL,
  last_month first_of_month,
  event_month first_of_month NOT NULL,
  division text NOT NULL CHECK (division = '' OR division ~ '^[0-9]{6}$'),
  digest bytea NOT NULL REFERENCES calculation,
  payee_id uuid NOT NULL REFERENCES payee,
  notes jsonb NOT NULL CHECK (jsonb_typeof(notes) = 'array'),
  approval_id uuid NOT NULL,
  maker text NOT NULL,
  prepare_date date NOT NULL,
  checker text,
  decide_date date,
  rejection_reason text NOT NULL DEFAULT '',
  CHECK ((kind = 'EMPLOYEE_PENSION') = (last_month IS NULL)),
  CHECK (last_month IS NULL OR last_month >= first_month),
  CHECK (event_month < first_month),
  CHECK (num_nulls(checker, decide_date) = CASE state WHEN 'PREPARED' THEN 2 ELSE 0 END),
  CONSTRAINT two_persons CHECK (maker <> checker)
);
CREATE INDEX determination_person ON determination (person_id, kind);
COMMENT ON COLUMN determination.event_month IS 'month of retirement, or last month of the employment that was lost';
CREATE TABLE benefit (
  benefit_id uuid PRIMARY KEY,
  determination_id uuid NOT NULL UNIQUE REFERENCES determination,
  person_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('EMPLOYEE_PENSION', 'UNEMPLOYMENT')),
  state text NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED', 'ENDED')),
  monthly_fen fen NOT NULL,
  first_month first_of_month NOT NULL,
  last_month first_of_month,
  next_month first_of_month NOT NULL,
  event_month first_of_month NOT NULL,
  end_reason text CHECK (end_reason IN ('EXHAUSTED', 'REEMPLOYED', 'RETIRED', 'DIED')),
  provisional boolean NOT NULL,
  division text NOT NULL,
  digest bytea NOT NULL REFERENCES calculation,
  payee_id uuid NOT NULL REFERENCES payee,
  CHECK ((state = 'ENDED') = (end_reason IS NOT NULL)),
  CHECK (last_month IS NOT NULL OR (kind = 'EMPLOYEE_PENSION' AND state <> 'ENDED')),
  CHECK (next_month >= first_month)
);
CREATE UNIQUE INDEX benefit_one_running ON benefit (person_id, kind) WHERE state <> 'ENDED';
CREATE INDEX benefit_person ON benefit (person_id, benefit_id);
CREATE INDEX benefit_payee ON benefit (payee_id) WHERE state <> 'ENDED';
CREATE INDEX benefit_to_pay ON benefit (benefit_id) WHERE last_month IS NULL OR next_month <= last_month;
COMMENT ON COLUMN benefit.next_month IS 'first month that stands in no payroll yet; everything before it does';
"""

_PAID = """
CREATE TABLE payroll (
  payroll_id uuid PRIMARY KEY,
  month first_of_month NOT NULL,
  sequence integer NOT NULL CHECK (sequence > 0),
  state text NOT NULL CHECK (state IN ('PREPARING', 'PREPARED', 'APPROVED')),
  job_id uuid NOT NULL,
  payment_count bigint NOT NULL DEFAULT 0 CHECK (payment_count >= 0),
  total_fen fen NOT NULL DEFAULT 0,
  confirmed_count bigint NOT NULL DEFAULT 0 CHECK (confirmed_count >= 0),
  returned_count bigint NOT NULL DEFAULT 0 CHECK (returned_count >= 0),
  digest bytea CHECK (octet_length(digest) = 32),
  approval_id uuid,
  maker text NOT NULL,
  prepare_date date NOT NULL,
  checker text,
  approve_date date,
  CHECK ((state = 'PREPARING') = (digest IS NULL)),
  CHECK ((state = 'PREPARING') = (approval_id IS NULL)),
  CHECK (num_nulls(checker, approve_date) = CASE state WHEN 'APPROVED' THEN 0 ELSE 2 END),
  CHECK (confirmed_count + returned_count <= payment_count),
  CONSTRAINT payroll_two_persons CHECK (maker <> checker),
  CONSTRAINT payroll_of_month UNIQUE (month, sequence)
);
COMMENT ON COLUMN payroll.sequence IS '1 is the payroll of the month, more are supplements (补发)';
CREATE TABLE payment (
  payment_id uuid PRIMARY KEY,
  payroll_id uuid NOT NULL REFERENCES payroll,
  benefit_id uuid NOT NULL REFERENCES benefit,
  person_id uuid NOT NULL,
  kind text NOT NULL CHECK (kind IN ('EMPLOYEE_PENSION', 'UNEMPLOYMENT')),
  month first_of_month NOT NULL,
  amount_fen fen NOT NULL,
  digest bytea NOT NULL REFERENCES calculation,
  payee_id uuid NOT NULL REFERENCES payee,
  state text NOT NULL CHECK (state IN ('OPEN', 'WITHDRAWN', 'CONFIRMED', 'RETURNED')),
  bank_reference text NOT NULL DEFAULT '',
  simulated boolean NOT NULL DEFAULT false,
  answer_date date,
  CONSTRAINT payment_once_per_benefit UNIQUE (benefit_id, month),
  CHECK ((state IN ('CONFIRMED', 'RETURNED')) = (answer_date IS NOT NULL)),
  CHECK ((state IN ('CONFIRMED', 'RETURNED')) = (bank_reference <> '')),
  CHECK (answer_date IS NOT NULL OR NOT simulated)
);
CREATE UNIQUE INDEX payment_once_per_person ON payment (person_id, kind, month) WHERE state <> 'WITHDRAWN';
CREATE INDEX payment_payroll ON payment (payroll_id, payment_id);
CREATE INDEX payment_person ON payment (person_id, payment_id);
COMMENT ON COLUMN payment.state IS 'OPEN: prepared or released, as its payroll; WITHDRAWN: left it before release';
CREATE TABLE overpayment (
  payment_id uuid PRIMARY KEY REFERENCES payment,
  benefit_id uuid NOT NULL REFERENCES benefit,
  person_id uuid NOT NULL,
  month first_of_month NOT NULL,
  amount_fen fen NOT NULL,
  reason text NOT NULL CHECK (reason IN ('EXHAUSTED', 'REEMPLOYED', 'RETIRED', 'DIED')),
  found_date date NOT NULL,
  settled_date date
);
COMMENT ON COLUMN overpayment.settled_date IS 'day on which the bank sent the money back; until then it is recovered';
"""

# What the app role may change later. Amounts, months and payees of a payment never change; nothing is ever deleted.
_HEARD_AGAIN = ("person", "participation", "contribution_year", "account")
_FOR_EVER = ("account_credit", "payee", "calculation")
_COLUMNS_THAT_CHANGE = {
    "determination": "state, checker, decide_date, rejection_reason",
    "benefit": "state, last_month, next_month, end_reason",
    "payroll": "state, payment_count, total_fen, confirmed_count, returned_count, digest, approval_id, checker,"
    " approve_date",
    "payment": "state, bank_reference, simulated, answer_date",
    "overpayment": "settled_date",
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
