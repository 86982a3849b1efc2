"""The whole life of a card: requests before it has a number, formal losses, replacements, ends; deaths and messages.

Every suspension until now was a temporary one (临时挂失): nobody could report a formal loss. A card that was only asked
for has neither number nor place, and one that is over keeps its number for ever, so that it is never given out again.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0005"
down_revision = "0004"

_CARD = """
ALTER TABLE card DROP CONSTRAINT card_state_check, DROP CONSTRAINT card_suspended_by_check,
  DROP CONSTRAINT card_check, DROP CONSTRAINT card_check1;
UPDATE card SET state = 'SUSPENDED_TEMP' WHERE state = 'SUSPENDED';
ALTER TABLE card ALTER issue_no DROP NOT NULL, ALTER reference DROP NOT NULL, ALTER valid_from DROP NOT NULL,
  ALTER valid_to DROP NOT NULL,
  ADD COLUMN replaced_by uuid REFERENCES card DEFERRABLE INITIALLY DEFERRED,
  ADD COLUMN level_two_from timestamptz;
ALTER TABLE card ADD CONSTRAINT card_state_check CHECK (state IN (
    'REQUESTED', 'VERIFYING', 'QUEUED', 'REJECTED', 'ISSUED', 'ACTIVE', 'LOCKED', 'SUSPENDED_TEMP',
    'SUSPENDED_FORMAL', 'REPLACED', 'CANCELLED', 'EXPIRED')),
  ADD CONSTRAINT card_suspended_by_check CHECK (suspended_by IN ('HOLDER', 'HOTLINE', 'COUNTER', 'PHYSICAL')),
  ADD CONSTRAINT card_before CHECK ((state = 'SUSPENDED_TEMP') = (state_before IS NOT NULL)),
  ADD CONSTRAINT card_suspended
    CHECK ((state IN ('SUSPENDED_TEMP', 'SUSPENDED_FORMAL')) = (suspended_by IS NOT NULL)),
  ADD CONSTRAINT card_replaced CHECK ((state = 'REPLACED') = (replaced_by IS NOT NULL)),
  ADD CONSTRAINT card_numbered
    CHECK ((state IN ('REQUESTED', 'VERIFYING', 'QUEUED', 'REJECTED')) = (issue_no IS NULL)
    AND (issue_no IS NULL) = (reference IS NULL)
    AND (issue_no IS NULL) = (valid_from IS NULL) AND (issue_no IS NULL) = (valid_to IS NULL));
COMMENT ON COLUMN card.level_two_from IS 'what only level 2 opens waits until then after a device was bound';
DROP INDEX card_one_live;
CREATE UNIQUE INDEX card_one_live ON card (person_id)
  WHERE state NOT IN ('REJECTED', 'REPLACED', 'CANCELLED', 'EXPIRED');
DROP INDEX card_claimed;
CREATE INDEX card_claimed ON card (level)
  WHERE state NOT IN ('REJECTED', 'REPLACED', 'CANCELLED', 'EXPIRED') AND consent_date IS NOT NULL;
CREATE INDEX card_lapsing ON card (state_since) WHERE state = 'SUSPENDED_TEMP' AND suspended_by <> 'PHYSICAL';
CREATE INDEX card_expiring ON card (valid_to)
  WHERE state IN ('ISSUED', 'ACTIVE', 'LOCKED', 'SUSPENDED_TEMP', 'SUSPENDED_FORMAL')
"""
_HOLDER = """
ALTER TABLE holder ADD COLUMN death_date date, DROP CONSTRAINT holder_physical_state_check,
  ADD CONSTRAINT holder_physical_state_check
    CHECK (physical_state IN ('NORMAL', 'LOST', 'FORMALLY_LOST', 'LOCKED', 'CANCELLED'));
ALTER TABLE physical_event DROP CONSTRAINT physical_event_event_check, ADD CONSTRAINT physical_event_event_check
  CHECK (event IN ('ISSUED', 'LOST', 'UNLOST', 'LOCKED', 'CANCELLED', 'FORMALLY_LOST'))
"""
_TABLES = """
CREATE TABLE identity_proof (
  card_id uuid PRIMARY KEY REFERENCES card,
  method text NOT NULL CHECK (method IN ('FACE', 'COUNTER', 'PHYSICAL')),
  evidence_ref text NOT NULL CHECK (octet_length(evidence_ref) BETWEEN 1 AND 120),
  passed boolean NOT NULL,
  simulated boolean NOT NULL,
  proved timestamptz NOT NULL
);
COMMENT ON TABLE identity_proof IS 'answer, number and time of a check; never a picture';
CREATE TABLE issue_order (
  request_no uuid PRIMARY KEY,
  card_id uuid NOT NULL UNIQUE REFERENCES card,
  state text NOT NULL CHECK (state IN ('OPEN', 'SENT', 'ISSUED', 'DECLINED')),
  sent timestamptz,
  external_sign_no text CHECK (octet_length(external_sign_no) BETWEEN 1 AND 80),
  simulated boolean NOT NULL DEFAULT false,
  CHECK (state = 'OPEN' OR sent IS NOT NULL)
);
CREATE INDEX issue_order_waiting ON issue_order (request_no) WHERE state IN ('OPEN', 'SENT');
COMMENT ON COLUMN issue_order.request_no IS 'known to the back end as well: an unknown outcome is asked by it';
CREATE TABLE loss_report (
  report_id uuid PRIMARY KEY,
  person_id uuid NOT NULL REFERENCES holder,
  card_id uuid NOT NULL REFERENCES card,
  actor text NOT NULL CHECK (actor IN ('HOLDER', 'HOTLINE', 'COUNTER', 'PHYSICAL')),
  formal boolean NOT NULL,
  report_ref text NOT NULL DEFAULT '' CHECK (octet_length(report_ref) <= 120),
  business_date date NOT NULL
);
CREATE INDEX loss_report_person ON loss_report (person_id, business_date);
CREATE TABLE card_notice (
  notice_id uuid PRIMARY KEY,
  person_id uuid NOT NULL REFERENCES holder,
  card_id uuid NOT NULL REFERENCES card,
  event text NOT NULL,
  actor text NOT NULL,
  business_date date NOT NULL
);
CREATE INDEX card_notice_person ON card_notice (person_id, notice_id);
COMMENT ON TABLE card_notice IS 'what a holder is told about the card; words are made where it is shown';
CREATE TABLE card_day (
  day date PRIMARY KEY,
  job_id uuid NOT NULL
)
"""


def upgrade() -> None:
    for block in (_CARD, _HOLDER, _TABLES):
        for statement in block.strip().split(";\n"):
            op.execute(statement)
    grant_app("card", "UPDATE (issue_no, reference, valid_from, valid_to, replaced_by, level_two_from)")
    grant_app("holder", "UPDATE (death_date)")
    for table in ("loss_report", "card_notice", "card_day"):
        grant_app(table, append_only=True)
    grant_app("identity_proof", append_only=True)
    grant_app("issue_order", "SELECT", "INSERT", "UPDATE (state, sent, external_sign_no, simulated)")
