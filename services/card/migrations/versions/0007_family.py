"""Family accounts and the devices of delegates.

Two triggers see to it that no way to change a card can forget them: what becomes of the card of a delegate (lost,
cancelled, over) or of a ward (cancelled, over) ends the family account, and a family account that ends or rests takes
the bindings of the delegate's devices with it. The card of the ward and its own bindings are never touched.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0007"
down_revision = "0006"

_TABLES = """
CREATE TABLE delegation (
  delegation_id uuid PRIMARY KEY,
  ward_id uuid NOT NULL REFERENCES holder,
  delegate_id uuid NOT NULL REFERENCES holder,
  relation text NOT NULL CHECK (relation IN ('ELDER', 'CHILD', 'SPOUSE', 'OTHER')),
  scopes text[] NOT NULL CHECK (scopes <> '{}' AND scopes <@ ARRAY['SHOW_CODE', 'QUERY', 'APPLY']),
  state text NOT NULL CHECK (state IN ('PENDING', 'ACTIVE', 'SUSPENDED', 'ENDED')),
  state_since date NOT NULL,
  basis text CHECK (basis IN ('GUARDIAN', 'FACE', 'PIN', 'WINDOW')),
  evidence text NOT NULL DEFAULT '',
  reference bytea NOT NULL UNIQUE CHECK (octet_length(reference) = 8),
  from_date date,
  to_date date,
  ended_by text CHECK (ended_by IN ('WARD', 'DELEGATE', 'WINDOW', 'DELEGATE_CARD', 'WARD_CARD', 'TERM')),
  CHECK (ward_id <> delegate_id),
  CHECK ((basis IS NULL) = (from_date IS NULL)),
  CHECK (state NOT IN ('ACTIVE', 'SUSPENDED') OR basis IS NOT NULL),
  CHECK ((state = 'ENDED') = (ended_by IS NOT NULL)),
  CHECK (basis IS NULL OR basis NOT IN ('GUARDIAN', 'WINDOW') OR evidence <> '')
);
COMMENT ON COLUMN delegation.reference IS 'stands in minted codes instead of the card''s; ending one ends them';
CREATE UNIQUE INDEX delegation_one_live ON delegation (ward_id, delegate_id) WHERE state <> 'ENDED';
CREATE INDEX delegation_delegate ON delegation (delegate_id, delegation_id);
CREATE INDEX delegation_guarded ON delegation (ward_id) WHERE state = 'ACTIVE' AND basis = 'GUARDIAN';
CREATE INDEX delegation_term ON delegation (to_date) WHERE state <> 'ENDED' AND to_date IS NOT NULL;
ALTER TABLE binding ADD COLUMN delegation_id uuid REFERENCES delegation;
ALTER TABLE binding ADD CONSTRAINT binding_delegate CHECK ((role = 'delegate') = (delegation_id IS NOT NULL)) NOT VALID;
ALTER TABLE binding VALIDATE CONSTRAINT binding_delegate;
CREATE INDEX binding_delegation ON binding (delegation_id) WHERE delegation_id IS NOT NULL;
"""
_OF_CARDS = """
CREATE FUNCTION delegations_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE delegation SET state = 'ENDED', ended_by = 'DELEGATE_CARD', state_since = after.state_since
  FROM after JOIN before USING (card_id)
  WHERE delegation.delegate_id = after.person_id AND delegation.state <> 'ENDED' AND after.state <> before.state
    AND (after.state LIKE 'SUSPENDED%' OR after.state IN ('CANCELLED', 'EXPIRED'));
  UPDATE delegation SET state = 'ENDED', ended_by = 'WARD_CARD', state_since = after.state_since
  FROM after JOIN before USING (card_id)
  WHERE delegation.ward_id = after.person_id AND delegation.state <> 'ENDED' AND after.state <> before.state
    AND after.state IN ('CANCELLED', 'EXPIRED');
  RETURN NULL;
END
$$
"""
_CARD_TRIGGER = """
CREATE TRIGGER delegations_follow AFTER UPDATE ON card
REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION delegations_follow()
"""
_OF_DELEGATIONS = """
CREATE FUNCTION delegate_bindings_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE binding SET state = 'withdrawn', status = 1 FROM after
  WHERE binding.delegation_id = after.delegation_id AND binding.state = 'live'
    AND after.state IN ('SUSPENDED', 'ENDED');
  RETURN NULL;
END
$$
"""
_DELEGATION_TRIGGER = """
CREATE TRIGGER delegate_bindings_follow AFTER UPDATE ON delegation
REFERENCING NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION delegate_bindings_follow()
"""


def upgrade() -> None:
    for statement in _TABLES.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
    for statement in (_OF_CARDS, _CARD_TRIGGER, _OF_DELEGATIONS, _DELEGATION_TRIGGER):
        op.execute(statement)
    grant_app("delegation", "SELECT", "INSERT", "UPDATE (state, state_since, basis, evidence, from_date, ended_by)")
