"""Keys, devices, status lists, verifiers and what was presented offline.

A binding is a place where a card can be shown from: the server (codes that are minted) or a device of the holder. Its
status follows the card by a trigger, so that no way to change a card, one or a city's, can forget it. A list gives its
places out once.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0004"
down_revision = "0003"

_TABLES = """
CREATE TABLE signing_key (
  label text PRIMARY KEY CHECK (label ~ '^[0-9a-f]{64}$'),
  purpose text NOT NULL CHECK (purpose IN ('card', 'token', 'status', 'trust-root')),
  alg integer NOT NULL CHECK (alg IN (-7, -65537)),
  point bytea NOT NULL CHECK (octet_length(point) = 33),
  state text NOT NULL CHECK (state IN ('planned', 'published', 'active', 'verify-only', 'withdrawn')),
  state_since timestamptz NOT NULL,
  made_by text NOT NULL
);
CREATE UNIQUE INDEX signing_key_active ON signing_key (purpose, alg) WHERE state = 'active';
CREATE TABLE key_version (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  version bigint NOT NULL
);
INSERT INTO key_version (version) VALUES (0);
CREATE TABLE trust_list (
  sequence integer PRIMARY KEY CHECK (sequence > 0),
  body bytea NOT NULL,
  iat bigint NOT NULL,
  exp bigint NOT NULL
);
CREATE TABLE status_list (
  list_no integer PRIMARY KEY CHECK (list_no > 0),
  key_wrapped bytea NOT NULL,
  next integer NOT NULL DEFAULT 0 CHECK (next BETWEEN 0 AND 838860)
);
COMMENT ON COLUMN status_list.next IS 'places given out so far: at most 80 of 100, the rest are decoys';
CREATE TABLE published_list (
  list_no integer PRIMARY KEY REFERENCES status_list,
  iat bigint NOT NULL,
  packed bytea NOT NULL,
  cwt bytea NOT NULL,
  jwt text NOT NULL,
  sequence integer NOT NULL CHECK (sequence > 0)
);
CREATE TABLE status_delta (
  list_no integer NOT NULL REFERENCES status_list,
  sequence integer NOT NULL CHECK (sequence > 0),
  iat bigint NOT NULL,
  body bytea NOT NULL,
  PRIMARY KEY (list_no, sequence)
);
CREATE TABLE binding (
  binding_id uuid PRIMARY KEY,
  card_id uuid NOT NULL REFERENCES card,
  role text NOT NULL CHECK (role IN ('server', 'own', 'delegate')),
  device_key bytea CHECK (octet_length(device_key) = 33),
  reference bytea NOT NULL UNIQUE CHECK (octet_length(reference) = 8),
  list_no integer NOT NULL REFERENCES status_list,
  idx integer NOT NULL CHECK (idx BETWEEN 0 AND 1048575),
  cred_exp bigint,
  state text NOT NULL CHECK (state IN ('live', 'withdrawn')),
  status smallint NOT NULL CHECK (status IN (0, 1, 2)),
  bound_date date NOT NULL,
  UNIQUE (list_no, idx),
  CHECK ((role = 'server') = (device_key IS NULL)),
  CHECK ((device_key IS NULL) = (cred_exp IS NULL)),
  CHECK (state = 'live' OR status = 1)
);
CREATE INDEX binding_card ON binding (card_id);
CREATE UNIQUE INDEX binding_device ON binding (card_id, device_key) WHERE state = 'live' AND device_key IS NOT NULL;
CREATE INDEX binding_not_valid ON binding (list_no, idx, status) WHERE status <> 0;
CREATE TABLE verifier (
  client text PRIMARY KEY CHECK (client ~ '^[!-~]{1,80}$'),
  name text NOT NULL,
  state text NOT NULL CHECK (state IN ('active', 'suspended')),
  purposes text[] NOT NULL,
  daily_quota integer NOT NULL CHECK (daily_quota > 0),
  alg integer CHECK (alg IN (-7, -65537)),
  point bytea CHECK (octet_length(point) = 33),
  CHECK ((alg IS NULL) = (point IS NULL))
);
CREATE TABLE verifier_day (
  client text NOT NULL,
  day date NOT NULL,
  count integer NOT NULL CHECK (count > 0),
  PRIMARY KEY (client, day)
);
CREATE TABLE verifier_nonce (
  client text NOT NULL,
  nonce bytea NOT NULL CHECK (octet_length(nonce) = 16),
  expires bigint NOT NULL,
  PRIMARY KEY (client, nonce)
);
CREATE INDEX verifier_nonce_expires ON verifier_nonce (expires);
CREATE TABLE challenge (
  audience bytea PRIMARY KEY CHECK (octet_length(audience) BETWEEN 8 AND 16),
  client text NOT NULL,
  expires bigint NOT NULL
);
CREATE INDEX challenge_expires ON challenge (expires);
CREATE TABLE presented (
  reference bytea NOT NULL CHECK (octet_length(reference) = 8),
  nonce bytea NOT NULL CHECK (octet_length(nonce) = 6),
  client text NOT NULL,
  is_online boolean NOT NULL,
  is_double boolean NOT NULL DEFAULT false,
  expires bigint NOT NULL,
  PRIMARY KEY (reference, nonce)
);
COMMENT ON TABLE presented IS 'numbers that devices signed, by the first verifier that saw them';
CREATE INDEX presented_expires ON presented (expires);
CREATE TABLE offline_check (
  client text NOT NULL,
  reference bytea NOT NULL CHECK (octet_length(reference) = 8),
  nonce bytea NOT NULL CHECK (octet_length(nonce) = 6),
  ts bigint NOT NULL,
  result text NOT NULL,
  business_date date NOT NULL,
  PRIMARY KEY (reference, nonce, client)
);
"""

# LOCKED and every kind of SUSPENDED are 2 (suspended); ISSUED and ACTIVE are 0; whatever is over is 1 (invalid).
_VALUE = """
CREATE FUNCTION status_of(state text) RETURNS smallint LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN state IN ('ISSUED', 'ACTIVE') THEN 0
              WHEN state = 'LOCKED' OR state LIKE 'SUSPENDED%' THEN 2 ELSE 1 END::smallint
$$
"""
_FOLLOW = """
CREATE FUNCTION bindings_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE binding SET status = status_of(after.state)
  FROM after JOIN before USING (card_id)
  WHERE binding.card_id = after.card_id AND after.state <> before.state AND binding.state = 'live'
    AND binding.status <> status_of(after.state);
  RETURN NULL;
END
$$
"""
_TRIGGER = """
CREATE TRIGGER bindings_follow AFTER UPDATE ON card
REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION bindings_follow()
"""

_CHANGING = {
    "signing_key": "state, state_since",
    "key_version": "version",
    "status_list": "next",
    "published_list": "iat, packed, cwt, jwt, sequence",
    "binding": "state, status",
    "verifier": "name, state, purposes, daily_quota, alg, point",
    "verifier_day": "count",
}


def upgrade() -> None:
    for statement in _TABLES.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
    for statement in (_VALUE, _FOLLOW, _TRIGGER):
        op.execute(statement)
    for table, columns in _CHANGING.items():
        grant_app(table, "SELECT", "INSERT", f"UPDATE ({columns})")
    for table in ("trust_list", "status_delta", "offline_check"):
        grant_app(table, append_only=True)
    for table, column in (("verifier_nonce", "expires"), ("challenge", "expires")):
        grant_app(table, "SELECT", "INSERT", "DELETE", f"UPDATE ({column})")  # the last to lock what is removed
    grant_app("presented", "SELECT", "INSERT", "DELETE", "UPDATE (expires, is_double)")
