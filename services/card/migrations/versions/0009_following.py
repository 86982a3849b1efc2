"""What follows a card follows it row by row, each through its own key.

The triggers of 0004 and 0007 joined the rows of a whole statement with the places. Their plan was made once a
connection, for the first statement it saw: after one that changed hundreds of cards, every later change of a single
card read the whole table of places. A row has nothing to choose from: its places are found by the index of the card. A
change that leaves the state alone calls nothing any more.
"""

from alembic import op

revision = "0009"
down_revision = "0008"

_FOLLOW = """
CREATE OR REPLACE FUNCTION bindings_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE binding SET status = status_of(NEW.state)
  WHERE card_id = NEW.card_id AND state = 'live' AND status <> status_of(NEW.state);
  RETURN NULL;
END
$$
"""
_FAMILY = """
CREATE OR REPLACE FUNCTION delegations_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE delegation SET state = 'ENDED', ended_by = 'DELEGATE_CARD', state_since = NEW.state_since
  WHERE delegate_id = NEW.person_id AND state <> 'ENDED';
  IF NEW.state IN ('CANCELLED', 'EXPIRED') THEN
    UPDATE delegation SET state = 'ENDED', ended_by = 'WARD_CARD', state_since = NEW.state_since
    WHERE ward_id = NEW.person_id AND state <> 'ENDED';
  END IF;
  RETURN NULL;
END
$$
"""
_DEVICES = """
CREATE OR REPLACE FUNCTION delegate_bindings_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE binding SET state = 'withdrawn', status = 1 WHERE delegation_id = NEW.delegation_id AND state = 'live';
  RETURN NULL;
END
$$
"""
# A trigger goes before its function changes; nobody changes a card in between, the table is locked until the end.
_STEPS = (
    "DROP TRIGGER bindings_follow ON card",
    _FOLLOW,
    """
    CREATE TRIGGER bindings_follow AFTER UPDATE ON card FOR EACH ROW
    WHEN (OLD.state <> NEW.state) EXECUTE FUNCTION bindings_follow()
    """,
    "DROP TRIGGER delegations_follow ON card",
    _FAMILY,
    """
    CREATE TRIGGER delegations_follow AFTER UPDATE ON card FOR EACH ROW
    WHEN (OLD.state <> NEW.state AND (NEW.state LIKE 'SUSPENDED%' OR NEW.state IN ('CANCELLED', 'EXPIRED')))
    EXECUTE FUNCTION delegations_follow()
    """,
    "DROP TRIGGER delegate_bindings_follow ON delegation",
    _DEVICES,
    """
    CREATE TRIGGER delegate_bindings_follow AFTER UPDATE ON delegation FOR EACH ROW
    WHEN (NEW.state IN ('SUSPENDED', 'ENDED')) EXECUTE FUNCTION delegate_bindings_follow()
    """,
)


def upgrade() -> None:
    for statement in _STEPS:
        op.execute(statement)
