"""What was known of a person and when; persons that were merged; deaths; employers with what was in force when.

`person` and `employer` hold what is true now. Their history is written when something changes for the first time: a
person or an employer without history was always as the row says. What was known is never rewritten: a version is
superseded, and stays.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0005"
down_revision = "0004"

_TABLES = """
ALTER TABLE person ADD COLUMN died_on date, ADD COLUMN merged_into uuid REFERENCES person;
ALTER TABLE employer ADD COLUMN deregister_date date;
CREATE INDEX person_merged ON person (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX employer_division ON employer (division, credit_code);
CREATE TABLE person_version (
    version_id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES person,
    valid_from date NOT NULL,
    valid_to date CHECK (valid_to > valid_from),
    recorded timestamptz NOT NULL,
    superseded timestamptz CHECK (superseded > recorded),
    cause text NOT NULL CHECK (cause IN ('REGISTERED', 'CHANGE', 'CORRECTION')),
    evidence text NOT NULL,
    name_sealed bytea NOT NULL,
    id_no_sealed bytea NOT NULL,
    phone_sealed bytea,
    birth_date date NOT NULL,
    sex text NOT NULL CHECK (sex IN ('male', 'female')),
    division text NOT NULL CHECK (division ~ '^[0-9]{6}$')
);
CREATE UNIQUE INDEX person_version_known ON person_version (person_id, valid_from) WHERE superseded IS NULL;
CREATE UNIQUE INDEX person_version_last ON person_version (person_id) WHERE superseded IS NULL AND valid_to IS NULL;
CREATE INDEX person_version_person ON person_version (person_id, recorded);
CREATE TABLE former_number (        -- numbers that were replaced by another one and register nobody any more
    id_no_index bytea PRIMARY KEY CHECK (octet_length(id_no_index) = 16),
    person_id uuid NOT NULL REFERENCES person
);
CREATE TABLE person_request (
    request_id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES person,
    other_id uuid REFERENCES person,
    kind text NOT NULL CHECK (kind IN ('CHANGE', 'DEATH', 'MERGE', 'UNMERGE')),
    state text NOT NULL CHECK (state IN ('WAITING', 'DONE', 'REJECTED')),
    payload_sealed bytea,               -- what will be done; gone when decided
    approval_id uuid,
    evidence text NOT NULL,
    created timestamptz NOT NULL,
    decided timestamptz,
    CHECK ((state = 'WAITING') = (decided IS NULL)),
    CHECK ((state = 'WAITING') = (payload_sealed IS NOT NULL)),
    CHECK ((other_id IS NOT NULL) = (kind IN ('MERGE', 'UNMERGE')))
);
CREATE INDEX person_request_waiting ON person_request (request_id) WHERE state = 'WAITING';
CREATE TABLE death (
    death_id uuid PRIMARY KEY,
    person_id uuid NOT NULL REFERENCES person,
    death_date date,                    -- none: what was recorded before was wrong
    source text CHECK (source IN ('MEDICAL', 'CREMATION', 'HOUSEHOLD', 'COURT')),
    evidence text NOT NULL,
    recorded timestamptz NOT NULL,
    superseded timestamptz,
    CHECK ((death_date IS NULL) = (source IS NULL))
);
CREATE UNIQUE INDEX death_known ON death (person_id) WHERE superseded IS NULL;
CREATE TABLE inheritance (              -- accounts whose balance waits for the heirs; nothing is paid by this
    person_id uuid PRIMARY KEY REFERENCES person,
    state text NOT NULL CHECK (state IN ('PENDING', 'WITHDRAWN')),
    since date NOT NULL
);
CREATE TABLE person_merge (
    merge_id uuid PRIMARY KEY,
    survivor_id uuid NOT NULL REFERENCES person,
    merged_id uuid NOT NULL REFERENCES person CHECK (merged_id <> survivor_id),
    moved jsonb NOT NULL,               -- the keys of every row that changed hands, by which it is undone
    merged timestamptz NOT NULL,
    undone timestamptz
);
CREATE UNIQUE INDEX person_merge_standing ON person_merge (merged_id) WHERE undone IS NULL;
CREATE TABLE duplicate (
    one_id uuid NOT NULL REFERENCES person,
    other_id uuid NOT NULL REFERENCES person CHECK (other_id > one_id),
    reason text NOT NULL CHECK (reason IN ('NUMBER', 'NAME_BIRTH_PHONE')),
    state text NOT NULL CHECK (state IN ('OPEN', 'MERGED', 'DISMISSED')),
    evidence text NOT NULL DEFAULT '',
    found timestamptz NOT NULL,
    PRIMARY KEY (one_id, other_id)
);
CREATE INDEX duplicate_open ON duplicate (one_id, other_id) WHERE state = 'OPEN';
CREATE TABLE employer_version (
    employer_id uuid NOT NULL REFERENCES employer,
    start_month date NOT NULL CHECK (extract(day FROM start_month) = 1),
    name text NOT NULL CHECK (char_length(name) BETWEEN 2 AND 100),
    division text NOT NULL CHECK (division ~ '^[0-9]{6}$'),
    injury_class smallint NOT NULL CHECK (injury_class BETWEEN 1 AND 8),
    injury_step numeric(4, 2) NOT NULL CHECK (injury_step > 0),
    evidence text NOT NULL,
    recorded timestamptz NOT NULL,
    superseded timestamptz
);
CREATE UNIQUE INDEX employer_version_known ON employer_version (employer_id, start_month) WHERE superseded IS NULL;
"""

# What a merger moves from one record to the other, and back: nothing of a row changes but the person, and only between
# two records of which one has gone up in the other. The tables stay append-only for the service itself, which may call
# this and cannot write it; it runs with the rights of the owner.
_MOVE = """
CREATE FUNCTION move_person_rows(source_id uuid, target uuid, keys jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM person WHERE (person_id, merged_into) IN ((source_id, target), (target, source_id))) THEN
        RAISE EXCEPTION 'rows move only between two records that are merged';
    END IF;
    UPDATE employment SET person_id = target WHERE person_id = source_id
        AND enrollment_id IN (SELECT value::uuid FROM jsonb_array_elements_text(keys -> 'enrollments'));
    UPDATE participation SET person_id = target WHERE person_id = source_id
        AND enrollment_id IN (SELECT value::uuid FROM jsonb_array_elements_text(keys -> 'enrollments'));
    UPDATE bill_line SET person_id = target WHERE person_id = source_id
        AND bill_id IN (SELECT value::uuid FROM jsonb_array_elements_text(keys -> 'bills'));
    UPDATE contribution SET person_id = target WHERE person_id = source_id AND (month, scheme) IN (
        SELECT (value ->> 0)::date, (value ->> 1)::smallint FROM jsonb_array_elements(keys -> 'months'));
    UPDATE account_entry SET person_id = target WHERE person_id = source_id AND (kind, source) IN (
        SELECT value ->> 0, value ->> 1 FROM jsonb_array_elements(keys -> 'entries'));
    UPDATE account_year SET person_id = target WHERE person_id = source_id
        AND year IN (SELECT value::integer FROM jsonb_array_elements_text(keys -> 'years'));
END $$
"""


def upgrade() -> None:
    for statement in _TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    person = "id_no_index, id_no_sealed, name_sealed, birth_date, sex, division, died_on, merged_into"
    grant_app("person", f"UPDATE ({person})")
    grant_app("employer", "UPDATE (name, division, injury_class, injury_step, deregister_date)")
    op.execute(_MOVE)
    op.execute("REVOKE ALL ON FUNCTION move_person_rows FROM PUBLIC")
    grant_app("move_person_rows(uuid, uuid, jsonb)", "EXECUTE", kind="FUNCTION")
    grant_app("person_version", "SELECT", "INSERT", "UPDATE (superseded)")
    grant_app("former_number", "SELECT", "INSERT", "UPDATE (person_id)")
    grant_app("person_request", "SELECT", "INSERT", "UPDATE (state, payload_sealed, approval_id, decided)")
    grant_app("death", "SELECT", "INSERT", "UPDATE (superseded)")
    grant_app("inheritance", "SELECT", "INSERT", "UPDATE (state, since)")
    grant_app("person_merge", "SELECT", "INSERT", "UPDATE (undone)")
    grant_app("duplicate", "SELECT", "INSERT", "UPDATE (state, evidence)")
    grant_app("employer_version", "SELECT", "INSERT", "UPDATE (superseded)")
