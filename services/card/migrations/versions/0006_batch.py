"""Cards by the batch: what was asked for, its parts, and what became of them.

A part holds the rows of one chunk, sealed, from the moment the batch is prepared until they took effect or the batch
ended; then it keeps counts and digests alone.

Four million cards are weighed by the byte: the cards of a person are found by the person alone (a person has a few, and
sorting those costs nothing), and the versions of cards, which hardly ever change, fill their pages.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0006"
down_revision = "0005"

_TABLES = """
CREATE TABLE card_batch (
  batch_id uuid PRIMARY KEY,
  source text NOT NULL CHECK (source IN ('FILE', 'REGISTER')),
  upload_id text,
  file_digest bytea CHECK (octet_length(file_digest) = 32),
  state text NOT NULL CHECK (state IN ('PREPARING', 'PREPARED', 'RUNNING', 'DONE', 'CANCELLED')),
  maker text NOT NULL,
  create_date date NOT NULL,
  prepare_job uuid NOT NULL,
  issue_job uuid,
  row_count integer NOT NULL DEFAULT 0 CHECK (row_count >= 0),
  left_out jsonb NOT NULL DEFAULT '{}',
  digest bytea CHECK (octet_length(digest) = 32),
  approval_id uuid,
  checker text CHECK (checker <> maker),
  approve_date date,
  CHECK ((source = 'FILE') = (upload_id IS NOT NULL)),
  CHECK ((source = 'FILE') = (file_digest IS NOT NULL)),
  CHECK (state NOT IN ('RUNNING', 'DONE') OR (checker IS NOT NULL AND issue_job IS NOT NULL))
);
COMMENT ON COLUMN card_batch.digest IS 'of rows and dry run; a second person approves exactly that';
CREATE UNIQUE INDEX card_batch_open_file ON card_batch (file_digest)
  WHERE state IN ('PREPARING', 'PREPARED', 'RUNNING');
CREATE INDEX card_batch_file ON card_batch (file_digest) WHERE file_digest IS NOT NULL;
CREATE TABLE card_batch_part (
  batch_id uuid NOT NULL REFERENCES card_batch,
  number integer NOT NULL CHECK (number > 0),
  first_row integer NOT NULL CHECK (first_row > 0),
  row_count integer NOT NULL CHECK (row_count > 0),
  rows_sealed bytea,
  ready integer CHECK (ready >= 0),
  rejected integer CHECK (rejected >= 0),
  skipped integer CHECK (skipped >= 0),
  digest bytea CHECK (octet_length(digest) = 32),
  issued integer CHECK (issued BETWEEN 0 AND row_count),
  issued_digest bytea CHECK (octet_length(issued_digest) = 32),
  PRIMARY KEY (batch_id, number),
  CHECK (ready + rejected + skipped = row_count),
  CHECK ((issued IS NULL) = (issued_digest IS NULL)),
  CHECK (issued IS NULL OR rows_sealed IS NULL)
);
COMMENT ON COLUMN card_batch_part.ready IS 'as the dry run found it; issued is what became of it';
"""


def upgrade() -> None:
    with op.get_context().autocommit_block():  # first, because what is done here stays when the rest fails
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS card_of_person ON card (person_id)")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS card_person")
    op.execute("ALTER TABLE aggregate SET (fillfactor = 100)")
    for statement in _TABLES.strip().removesuffix(";").split(";\n"):
        op.execute(statement)
    grant_app(
        "card_batch",
        "SELECT",
        "INSERT",
        "UPDATE (state, issue_job, row_count, left_out, digest, approval_id, checker, approve_date)",
    )
    grant_app(
        "card_batch_part",
        "SELECT",
        "INSERT",
        "UPDATE (rows_sealed, ready, rejected, skipped, digest, issued, issued_digest)",
    )
