"""Insurance without an employment: flexible workers, residents, projects; government posts; what is paid back.

Persons pay bills of their own, so a bill has either an employer or a person as payer; a line that was refunded frees
its month. Checks that list words or sums are found by what they say: revisions of other rooms may have renamed them.
"""

from alembic import op

from chassis.migrate import grant_app

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    covers()
    participations()
    bills()
    paid_back()
    scheme_accounts()
    back_payments()
    projects()
    platforms()


def drop_check(table: str, *parts: str) -> None:
    """Drop the CHECKs of a table whose text has all the parts."""
    conditions = " AND ".join(f"pg_get_constraintdef(oid) LIKE '%{part}%'" for part in parts)
    op.execute(f"""
        DO $$ DECLARE one record; BEGIN
            FOR one IN SELECT conname FROM pg_constraint
                WHERE conrelid = '{table}'::regclass AND contype = 'c' AND {conditions}
            LOOP EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', one.conname); END LOOP;
        END $$
    """)  # noqa: S608 - constant text


def widen_check(table: str, part: str, also: str) -> None:
    """Let a CHECK whose text has a part allow one thing more, whatever else revisions before let it allow."""
    rule = also.replace("'", "''")
    op.execute(f"""
        DO $$ DECLARE one record; BEGIN
            FOR one IN SELECT conname, pg_get_expr(conbin, conrelid) AS rule FROM pg_constraint
                WHERE conrelid = '{table}'::regclass AND contype = 'c' AND pg_get_constraintdef(oid) LIKE '%{part}%'
            LOOP
                EXECUTE format('ALTER TABLE {table} DROP CONSTRAINT %I', one.conname);
                EXECUTE format('ALTER TABLE {table} ADD CONSTRAINT %I CHECK ((%s) OR (%s))',
                               one.conname, one.rule, '{rule}');
            END LOOP;
        END $$
    """)  # noqa: S608 - constant text


def covers() -> None:
    op.execute("""
        ALTER TABLE employer ADD COLUMN kind text NOT NULL DEFAULT 'ENTERPRISE'
            CHECK (kind IN ('ENTERPRISE', 'GOVERNMENT'))
    """)
    grant_app("employer", "UPDATE (kind)")
    op.execute("""
        CREATE TABLE cover (
            cover_id uuid PRIMARY KEY,
            person_id uuid NOT NULL REFERENCES person,
            kind text NOT NULL CHECK (kind IN ('FLEXIBLE', 'RESIDENT')),
            division text NOT NULL CHECK (division ~ '^[0-9]{6}$'),
            track text CHECK (track IN ('male_60', 'female_55', 'female_50')),
            start_month date NOT NULL CHECK (extract(day FROM start_month) = 1),
            end_month date CHECK (extract(day FROM end_month) = 1),
            end_reason text CHECK (end_reason ~ '^[A-Z_]+$'),
            created timestamptz NOT NULL DEFAULT now(),
            CHECK ((end_month IS NULL) = (end_reason IS NULL)),
            CHECK (end_month >= start_month),
            CHECK ((kind = 'FLEXIBLE') = (track IS NOT NULL))
        )
    """)
    op.execute("CREATE UNIQUE INDEX cover_one_open ON cover (person_id, kind) WHERE end_month IS NULL")
    op.execute("CREATE INDEX cover_person ON cover (person_id, start_month)")
    grant_app("cover", "SELECT", "INSERT", "UPDATE (end_month, end_reason)")
    op.execute("""
        CREATE TABLE cover_base (
            cover_id uuid NOT NULL REFERENCES cover,
            from_month date NOT NULL CHECK (extract(day FROM from_month) = 1),
            base_fen bigint NOT NULL CHECK (base_fen > 0),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (cover_id, from_month)
        )
    """)
    grant_app("cover_base", "SELECT", "INSERT", "UPDATE (base_fen)")
    # An enrolment or a cover that rests for some months; `until_month` is the last of them.
    op.execute("""
        CREATE TABLE suspension (
            relation_id uuid NOT NULL,
            from_month date NOT NULL CHECK (extract(day FROM from_month) = 1),
            until_month date CHECK (extract(day FROM until_month) = 1),
            reason text NOT NULL CHECK (reason ~ '^[A-Z_]+$'),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (relation_id, from_month)
        )
    """)
    op.execute("CREATE UNIQUE INDEX suspension_one_open ON suspension (relation_id) WHERE until_month IS NULL")
    grant_app("suspension", "SELECT", "INSERT", "UPDATE (until_month)")


def participations() -> None:
    # Code of a scheme: its official digits; X12 (occupational annuity) is 9012.
    drop_check("participation", "scheme")
    drop_check("participation", "end_reason", "RESIGNED")
    op.execute("""
        ALTER TABLE participation
            ALTER COLUMN enrollment_id DROP NOT NULL, ALTER COLUMN employer_id DROP NOT NULL,
            ALTER COLUMN track DROP NOT NULL,
            ADD COLUMN cover_id uuid REFERENCES cover,
            ADD CHECK (num_nonnulls(enrollment_id, cover_id) = 1),
            ADD CHECK ((enrollment_id IS NULL) = (employer_id IS NULL)),
            ADD CHECK (scheme IN (110, 120, 170, 210, 410, 9012)),
            ADD CHECK (end_reason ~ '^[A-Z_]+$')
    """)
    op.execute("CREATE UNIQUE INDEX participation_cover ON participation (cover_id, scheme) WHERE cover_id IS NOT NULL")
    op.execute("DROP INDEX participation_one_open")
    # An employment ends the cover of a flexible worker by itself, after the fact where a roster brings it: so each kind
    # has its own rule of one open participation, and a month is still billed once.
    op.execute("""
        CREATE UNIQUE INDEX participation_one_open ON participation (person_id, scheme)
            WHERE end_month IS NULL AND enrollment_id IS NOT NULL
    """)
    drop_check("contribution", "scheme", "110")
    op.execute("ALTER TABLE contribution ADD CHECK (scheme IN (110, 120, 170, 210, 410, 9012))")


def bills() -> None:
    drop_check("bill", "total_fen =", "injury_employer_fen")
    op.execute("""
        ALTER TABLE bill ALTER COLUMN employer_id DROP NOT NULL,
            ADD COLUMN kind text NOT NULL DEFAULT 'EMPLOYER'
                CHECK (kind IN ('EMPLOYER', 'BACK_PAYMENT', 'GOVERNMENT', 'FLEXIBLE')),
            ADD COLUMN payer_id uuid REFERENCES person,
            ADD COLUMN annuity_employer_fen bigint NOT NULL DEFAULT 0 CHECK (annuity_employer_fen >= 0),
            ADD COLUMN annuity_employee_fen bigint NOT NULL DEFAULT 0 CHECK (annuity_employee_fen >= 0),
            ADD COLUMN withdrawn_date date CHECK (withdrawn_date IS NULL OR paid_fen = 0),
            ADD COLUMN late_fee_fen bigint NOT NULL DEFAULT 0 CHECK (late_fee_fen >= 0),
            ADD CHECK ((employer_id IS NULL) = (payer_id IS NOT NULL)),
            ADD CHECK ((kind = 'FLEXIBLE') = (payer_id IS NOT NULL)),
            ADD CHECK (kind = 'GOVERNMENT' OR annuity_employer_fen + annuity_employee_fen = 0),
            ADD CHECK (kind = 'BACK_PAYMENT' OR late_fee_fen = 0),
            ADD CHECK (total_fen = pension_employer_fen + pension_employee_fen + unemployment_employer_fen
                + unemployment_employee_fen + injury_employer_fen + annuity_employer_fen + annuity_employee_fen
                + late_fee_fen)
    """)
    grant_app("bill", "UPDATE (withdrawn_date)")
    op.execute("CREATE UNIQUE INDEX bill_payer ON bill (payer_id, month, number) WHERE payer_id IS NOT NULL")
    op.execute("""
        ALTER TABLE bill_line
            ADD COLUMN annuity_employer_fen bigint NOT NULL DEFAULT 0 CHECK (annuity_employer_fen >= 0),
            ADD COLUMN annuity_employee_fen bigint NOT NULL DEFAULT 0 CHECK (annuity_employee_fen >= 0),
            ADD COLUMN refund_id uuid
    """)
    op.execute("ALTER TABLE bill_line DROP CONSTRAINT bill_line_person_id_month_key")
    op.execute("CREATE UNIQUE INDEX bill_line_person_month ON bill_line (person_id, month) WHERE refund_id IS NULL")
    grant_app("bill_line", "UPDATE (refund_id)")


def paid_back() -> None:
    op.execute("""
        CREATE TABLE overlap_refund (
            refund_id uuid PRIMARY KEY,
            person_id uuid NOT NULL REFERENCES person,
            kind text NOT NULL CHECK (kind IN ('FLEXIBLE', 'RESIDENT')),
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            account_fen bigint NOT NULL CHECK (account_fen BETWEEN 0 AND amount_fen),
            statement jsonb NOT NULL,
            policy_version text NOT NULL,
            refund_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX overlap_refund_person ON overlap_refund (person_id)")
    grant_app("overlap_refund", append_only=True)
    # A month that was paid back leaves the contributions, so that another bill can bring it again; here it stays.
    op.execute("""
        CREATE TABLE contribution_refunded (
            refund_id uuid NOT NULL REFERENCES overlap_refund,
            person_id uuid NOT NULL,
            month date NOT NULL,
            scheme smallint NOT NULL,
            base_fen bigint NOT NULL,
            employer_fen bigint NOT NULL,
            employee_fen bigint NOT NULL,
            bill_id uuid NOT NULL,
            PRIMARY KEY (refund_id, month, scheme)
        )
    """)
    grant_app("contribution_refunded", "SELECT")
    # The service itself deletes no contribution: this moves those of lines that a refund has freed, and nothing else.
    op.execute("""
        CREATE FUNCTION refund_contributions(refund uuid) RETURNS bigint
        LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
            WITH gone AS (
                DELETE FROM contribution AS paid USING bill_line AS line, overlap_refund AS one
                WHERE one.refund_id = refund AND line.refund_id = refund AND line.person_id = one.person_id
                  AND paid.bill_id = line.bill_id AND paid.person_id = line.person_id AND paid.month = line.month
                RETURNING paid.*
            ), kept AS (
                INSERT INTO contribution_refunded
                    (refund_id, person_id, month, scheme, base_fen, employer_fen, employee_fen, bill_id)
                SELECT refund, person_id, month, scheme, base_fen, employer_fen, employee_fen, bill_id FROM gone
                RETURNING 1
            )
            SELECT count(*) FROM kept
        $$
    """)
    op.execute("REVOKE ALL ON FUNCTION refund_contributions(uuid) FROM PUBLIC")
    grant_app("refund_contributions(uuid)", "EXECUTE", kind="FUNCTION")
    widen_check("account_entry", "settlement:", "amount_fen < 0 AND kind = 'CONTRIBUTION' AND source LIKE 'refund:%'")


def scheme_accounts() -> None:
    """Accounts beside that of the employee pension: each scheme's own, without interest until its rate is known."""
    op.execute("""
        CREATE TABLE scheme_account (
            person_id uuid NOT NULL REFERENCES person,
            scheme smallint NOT NULL CHECK (scheme IN (120, 170, 9012)),
            balance_fen bigint NOT NULL CHECK (balance_fen >= 0),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (person_id, scheme)
        )
    """)
    grant_app("scheme_account", "SELECT", "INSERT", "UPDATE (balance_fen)")
    op.execute("""
        CREATE TABLE scheme_account_entry (
            person_id uuid NOT NULL,
            scheme smallint NOT NULL,
            part text NOT NULL CHECK (part IN ('EMPLOYER', 'EMPLOYEE', 'PAYMENT', 'SUBSIDY', 'AID', 'REFUND')),
            source text COLLATE "C" NOT NULL,
            booked_month date NOT NULL CHECK (extract(day FROM booked_month) = 1),
            amount_fen bigint NOT NULL CHECK (amount_fen > 0 OR (amount_fen < 0 AND part = 'REFUND')),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (person_id, scheme, part, source),
            FOREIGN KEY (person_id, scheme) REFERENCES scheme_account
        )
    """)
    grant_app("scheme_account_entry", append_only=True)
    op.execute("""
        CREATE TABLE resident_payment (
            payment_id uuid PRIMARY KEY,
            cover_id uuid NOT NULL REFERENCES cover,
            person_id uuid NOT NULL,
            year integer NOT NULL CHECK (year BETWEEN 2000 AND 2200),
            tier_fen bigint NOT NULL CHECK (tier_fen > 0),
            subsidy_fen bigint NOT NULL CHECK (subsidy_fen >= 0),
            aid_fen bigint NOT NULL CHECK (aid_fen >= 0),
            statement jsonb NOT NULL,
            policy_version text NOT NULL,
            assess_date date NOT NULL,
            receipt_no text COLLATE "C" UNIQUE,
            paid_date date,
            simulated boolean,
            refund_id uuid REFERENCES overlap_refund,
            refunded_fen bigint NOT NULL DEFAULT 0 CHECK (refunded_fen BETWEEN 0 AND tier_fen),
            refunded_months smallint NOT NULL DEFAULT 0 CHECK (refunded_months BETWEEN 0 AND 12),
            created timestamptz NOT NULL DEFAULT now(),
            UNIQUE (person_id, year),
            CHECK (num_nulls(receipt_no, paid_date, simulated) IN (0, 3)),
            CHECK (refunded_fen = 0 OR receipt_no IS NOT NULL)
        )
    """)
    grant_app(
        "resident_payment",
        "SELECT",
        "INSERT",
        "UPDATE (receipt_no, paid_date, simulated, refund_id, refunded_fen, refunded_months)",
    )


def back_payments() -> None:
    op.execute("""
        CREATE TABLE back_payment (
            back_payment_id uuid PRIMARY KEY,
            enrollment_id uuid NOT NULL REFERENCES employment,
            person_id uuid NOT NULL,
            first_month date NOT NULL,
            last_month date NOT NULL,
            wage_fen bigint NOT NULL CHECK (wage_fen > 0),
            document_ref text NOT NULL,
            statement jsonb NOT NULL,
            policy_version text NOT NULL,
            assess_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            CHECK (last_month >= first_month)
        )
    """)
    op.execute("CREATE INDEX back_payment_enrollment ON back_payment (enrollment_id)")
    grant_app("back_payment", append_only=True)
    op.execute("""
        CREATE TABLE back_payment_bill (
            bill_id uuid PRIMARY KEY REFERENCES bill,
            back_payment_id uuid NOT NULL REFERENCES back_payment,
            pension_fee_fen bigint NOT NULL CHECK (pension_fee_fen >= 0),
            unemployment_fee_fen bigint NOT NULL CHECK (unemployment_fee_fen >= 0),
            injury_fee_fen bigint NOT NULL CHECK (injury_fee_fen >= 0)
        )
    """)
    op.execute("CREATE INDEX back_payment_bill_of ON back_payment_bill (back_payment_id)")
    grant_app("back_payment_bill", append_only=True)


def projects() -> None:
    op.execute("""
        CREATE TABLE project (
            project_id uuid PRIMARY KEY,
            employer_id uuid NOT NULL REFERENCES employer,
            permit_no text COLLATE "C" NOT NULL UNIQUE CHECK (permit_no ~ '^[0-9A-Z-]{6,40}$'),
            name text NOT NULL CHECK (char_length(name) BETWEEN 2 AND 100),
            contract_price_fen bigint NOT NULL CHECK (contract_price_fen > 0),
            start_date date NOT NULL,
            planned_date date NOT NULL CHECK (planned_date >= start_date),
            completion_date date CHECK (completion_date >= start_date),
            premium_fen bigint NOT NULL CHECK (premium_fen > 0),
            statement jsonb NOT NULL,
            policy_version text NOT NULL,
            receipt_no text COLLATE "C" UNIQUE,
            paid_date date,
            simulated boolean,
            created timestamptz NOT NULL DEFAULT now(),
            CHECK (num_nulls(receipt_no, paid_date, simulated) IN (0, 3))
        )
    """)
    op.execute("CREATE INDEX project_employer ON project (employer_id)")
    grant_app("project", "SELECT", "INSERT", "UPDATE (completion_date, receipt_no, paid_date, simulated)")
    op.execute("""
        CREATE TABLE project_worker (
            project_id uuid NOT NULL REFERENCES project,
            person_id uuid NOT NULL REFERENCES person,
            from_date date NOT NULL,
            until_date date CHECK (until_date >= from_date),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (project_id, person_id, from_date)
        )
    """)
    op.execute("CREATE INDEX project_worker_person ON project_worker (person_id)")
    op.execute("""
        CREATE UNIQUE INDEX project_worker_one_open ON project_worker (project_id, person_id) WHERE until_date IS NULL
    """)
    grant_app("project_worker", "SELECT", "INSERT", "UPDATE (until_date)")


def platforms() -> None:
    op.execute("""
        CREATE TABLE platform_month (
            platform_month_id uuid PRIMARY KEY,
            employer_id uuid NOT NULL REFERENCES employer,
            month date NOT NULL CHECK (extract(day FROM month) = 1),
            branch text NOT NULL,
            order_count bigint NOT NULL CHECK (order_count > 0),
            premium_fen bigint NOT NULL CHECK (premium_fen >= 0),
            statement jsonb NOT NULL,
            policy_version text NOT NULL,
            receipt_no text COLLATE "C" UNIQUE,
            paid_date date,
            simulated boolean,
            report_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            UNIQUE (employer_id, month, branch),
            CHECK (num_nulls(receipt_no, paid_date, simulated) IN (0, 3))
        )
    """)
    grant_app("platform_month", "SELECT", "INSERT", "UPDATE (receipt_no, paid_date, simulated)")
    op.execute("""
        CREATE TABLE platform_worker_day (
            platform_month_id uuid NOT NULL REFERENCES platform_month,
            person_id uuid NOT NULL REFERENCES person,
            day date NOT NULL,
            order_count integer NOT NULL CHECK (order_count > 0),
            PRIMARY KEY (platform_month_id, person_id, day)
        )
    """)
    op.execute("CREATE INDEX platform_worker_day_person ON platform_worker_day (person_id, day)")
    grant_app("platform_worker_day", append_only=True)
