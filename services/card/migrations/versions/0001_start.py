"""Holders, physical-card events, cards, PINs and used codes.

Names and numbers are sealed, PINs hashed; one person has one live card, one issue number one card, one code one use,
for ever. Nothing is deleted but used codes whose time was over long ago.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0001"
down_revision = None

_TABLES = """
CREATE TABLE holder (
  person_id uuid PRIMARY KEY,
  birth_date date NOT NULL,
  name_sealed bytea NOT NULL,
  id_no_sealed bytea NOT NULL,
  id_no_index bytea NOT NULL UNIQUE CHECK (octet_length(id_no_index) = 16),
  physical_state text CHECK (physical_state IN ('NORMAL', 'LOST', 'LOCKED', 'CANCELLED')),
  physical_ref text CHECK (physical_ref ~ '^[A-Za-z0-9-]{4,40}$'),
  physical_sequence integer NOT NULL DEFAULT 0 CHECK (physical_sequence >= 0),
  payment_enabled boolean NOT NULL DEFAULT false,
  CHECK ((physical_state IS NULL) = (physical_ref IS NULL)),
  CHECK ((physical_state IS NULL) = (physical_sequence = 0))
);
CREATE TABLE physical_event (
  source text NOT NULL,
  person_id uuid NOT NULL REFERENCES holder,
  sequence integer NOT NULL CHECK (sequence > 0),
  event text NOT NULL CHECK (event IN ('ISSUED', 'LOST', 'UNLOST', 'LOCKED', 'CANCELLED')),
  physical_ref text NOT NULL,
  payment_enabled boolean NOT NULL,
  simulated boolean NOT NULL,
  applied boolean NOT NULL,
  business_date date NOT NULL,
  PRIMARY KEY (source, person_id, sequence)
);
CREATE TABLE card (
  card_id uuid PRIMARY KEY,
  person_id uuid NOT NULL REFERENCES holder,
  issue_no text NOT NULL UNIQUE CHECK (issue_no ~ '^[0-9]{20}$'),
  reference bytea NOT NULL UNIQUE CHECK (octet_length(reference) = 8),
  level smallint NOT NULL CHECK (level IN (1, 2)),
  state text NOT NULL CHECK (state IN ('ISSUED', 'ACTIVE', 'LOCKED', 'SUSPENDED', 'CANCELLED')),
  state_since date NOT NULL,
  state_before text CHECK (state_before IN ('ISSUED', 'ACTIVE', 'LOCKED')),
  suspended_by text CHECK (suspended_by IN ('HOLDER', 'COUNTER', 'PHYSICAL')),
  valid_from date NOT NULL,
  valid_to date NOT NULL,
  consent_date date,
  CHECK ((state = 'SUSPENDED') = (state_before IS NOT NULL)),
  CHECK ((state = 'SUSPENDED') = (suspended_by IS NOT NULL)),
  CHECK (valid_to > valid_from)
);
CREATE UNIQUE INDEX card_one_live ON card (person_id) WHERE state <> 'CANCELLED';
CREATE INDEX card_person ON card (person_id, card_id);
COMMENT ON COLUMN card.reference IS 'stands in codes in place of everything that says whose they are';
CREATE TABLE pin (
  card_id uuid PRIMARY KEY REFERENCES card,
  salt bytea NOT NULL CHECK (octet_length(salt) = 16),
  value bytea NOT NULL CHECK (octet_length(value) = 32),
  failures smallint NOT NULL DEFAULT 0 CHECK (failures >= 0),
  set_date date NOT NULL
);
CREATE TABLE used_token (
  number bytea PRIMARY KEY CHECK (octet_length(number) = 8),
  expires bigint NOT NULL
);
CREATE INDEX used_token_expires ON used_token (expires);
COMMENT ON TABLE used_token IS 'numbers of codes that were accepted; a code is over long before its row is removed';
"""

_COLUMNS_THAT_CHANGE = {
    "holder": "birth_date, name_sealed, id_no_sealed, id_no_index, physical_state, physical_ref, physical_sequence,"
    " payment_enabled",
    "card": "level, state, state_since, state_before, suspended_by, consent_date",
    "pin": "salt, value, failures, set_date",
}


def upgrade() -> None:
    for statement in _TABLES.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
    grant_app("physical_event", append_only=True)
    grant_app("used_token", "SELECT", "INSERT", "DELETE", "UPDATE (expires)")  # the last to lock what is removed
    for table, columns in _COLUMNS_THAT_CHANGE.items():
        grant_app(table, "SELECT", "INSERT", f"UPDATE ({columns})")
