"""Telephone numbers of holders and the messages to them, PINs from the pad of a counter, signs of risks, family days.

A message is written by a trigger on what holders are told, so that no way to tell them something can forget it; who
has no number is told at the card alone. Its number is stored before anything leaves: an unknown outcome is asked for.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0011"
down_revision = "0010"

_TABLES = """
ALTER TABLE card_notice ALTER card_id DROP NOT NULL;
CREATE TABLE contact (
  person_id uuid PRIMARY KEY REFERENCES holder,
  phone_sealed bytea NOT NULL,
  factor_from timestamptz NOT NULL,
  set_by text NOT NULL CHECK (set_by IN ('HOLDER', 'COUNTER')),
  set_date date NOT NULL
);
COMMENT ON COLUMN contact.factor_from IS 'a number that was just set proves nobody: it is no second proof before then';
CREATE TABLE text_code (
  code_id uuid PRIMARY KEY,
  person_id uuid NOT NULL REFERENCES holder,
  purpose text NOT NULL CHECK (purpose IN ('CONTACT', 'RESET_PIN')),
  phone_sealed bytea NOT NULL,
  digest bytea NOT NULL CHECK (octet_length(digest) = 32),
  set_by text NOT NULL CHECK (set_by IN ('HOLDER', 'COUNTER')),
  state text NOT NULL CHECK (state IN ('OPEN', 'USED', 'FAILED')),
  failures smallint NOT NULL DEFAULT 0 CHECK (failures >= 0),
  made timestamptz NOT NULL,
  expires timestamptz NOT NULL
);
CREATE INDEX text_code_person ON text_code (person_id, made);
CREATE TABLE text_message (
  request_no uuid PRIMARY KEY,
  person_id uuid NOT NULL REFERENCES holder,
  word text NOT NULL,
  actor text NOT NULL,
  business_date date NOT NULL,
  notice_id uuid UNIQUE REFERENCES card_notice,
  phone_sealed bytea,
  code_sealed bytea,
  state text NOT NULL CHECK (state IN ('OPEN', 'SENDING', 'SENT', 'REFUSED', 'GIVEN_UP')),
  made timestamptz NOT NULL,
  sent timestamptz,
  simulated boolean NOT NULL DEFAULT false,
  CHECK (state IN ('OPEN', 'GIVEN_UP') OR sent IS NOT NULL),
  CHECK (state IN ('OPEN', 'SENDING') OR (code_sealed IS NULL AND phone_sealed IS NULL))
);
COMMENT ON COLUMN text_message.request_no IS 'known to the messages platform, too: an unknown outcome is asked by it';
COMMENT ON COLUMN text_message.phone_sealed IS 'where it goes when not to the number on record; gone when it is over';
CREATE INDEX text_message_waiting ON text_message (made) WHERE state IN ('OPEN', 'SENDING');
CREATE TABLE pin_entry (
  entry_id uuid PRIMARY KEY,
  card_id uuid NOT NULL REFERENCES card,
  terminal text NOT NULL CHECK (terminal ~ '^[A-Z0-9-]{2,20}$'),
  act text NOT NULL CHECK (act IN ('ACTIVATE', 'RESET_PIN')),
  asked_by text NOT NULL,
  state text NOT NULL CHECK (state IN ('WAITING', 'ENTERED', 'USED', 'GIVEN_UP')),
  salt bytea,
  value bytea,
  simulated boolean NOT NULL DEFAULT false,
  expires timestamptz NOT NULL,
  CHECK ((state = 'ENTERED') = (value IS NOT NULL) AND (salt IS NULL) = (value IS NULL))
);
COMMENT ON TABLE pin_entry IS 'a PIN that its holder sets on the pad of a counter: hashed there and then, used once';
CREATE UNIQUE INDEX pin_entry_terminal ON pin_entry (terminal) WHERE state = 'WAITING';
CREATE TABLE risk_sign (
  card_id uuid NOT NULL REFERENCES card,
  rule text NOT NULL,
  number bytea NOT NULL,
  seen timestamptz NOT NULL,
  PRIMARY KEY (card_id, rule, number)
);
COMMENT ON TABLE risk_sign IS 'what a rule counts; each code once, so that nobody locks a card by showing one again';
ALTER TABLE delegation DROP CONSTRAINT delegation_ended_by_check, ADD CONSTRAINT delegation_ended_by_check
  CHECK (ended_by IN ('WARD', 'DELEGATE', 'WINDOW', 'DELEGATE_CARD', 'WARD_CARD', 'TERM', 'LAPSED'));
CREATE INDEX delegation_invited ON delegation (state_since) WHERE state = 'PENDING';
CREATE TABLE family_day (
  day date PRIMARY KEY,
  job_id uuid NOT NULL
)
"""
_FUNCTION = """
CREATE FUNCTION notices_are_sent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO text_message (request_no, person_id, word, actor, business_date, notice_id, state, made)
  SELECT gen_random_uuid(), told.person_id, told.event, told.actor, told.business_date, told.notice_id, 'OPEN', now()
  FROM told JOIN contact USING (person_id);
  RETURN NULL;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER notices_are_sent AFTER INSERT ON card_notice
REFERENCING NEW TABLE AS told FOR EACH STATEMENT EXECUTE FUNCTION notices_are_sent()
"""
_CHANGING = {
    "contact": "phone_sealed, factor_from, set_by, set_date",
    "text_code": "state, failures",
    "text_message": "state, sent, simulated, code_sealed, phone_sealed",
    "pin_entry": "state, salt, value, simulated",
    "risk_sign": "seen",
}


def upgrade() -> None:
    for statement in _TABLES.strip().split(";\n"):
        op.execute(statement)
    op.execute(_FUNCTION)
    op.execute(_TRIGGER)
    for table, columns in _CHANGING.items():
        grant_app(table, "SELECT", "INSERT", f"UPDATE ({columns})")
    grant_app("contact", "DELETE")
    grant_app("risk_sign", "DELETE")
    grant_app("family_day", append_only=True)
