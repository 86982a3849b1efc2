"""The register of the insured, their bills, receipts, contribution months and personal accounts.

A month is stored as its first day, money as whole fen, a scheme by its official code (AAE140: 110 employee pension, 210
unemployment, 410 work injury). What is never rewritten (contribution months, account entries, closed years, receipts,
bill lines) is append-only for the app role.
"""

from alembic import op

from chassis.migrate import create_ledger, grant_app

revision = "0001"
down_revision = None


def upgrade() -> None:
    people()
    employers()
    employments()
    bills()
    contributions()
    accounts()
    create_ledger()


def people() -> None:
    op.execute("""
        CREATE TABLE person (
            person_id uuid PRIMARY KEY,
            id_no_index bytea NOT NULL UNIQUE CHECK (octet_length(id_no_index) = 16),
            id_no_sealed bytea NOT NULL,
            name_sealed bytea NOT NULL,
            phone_sealed bytea,
            birth_date date NOT NULL,
            sex text NOT NULL CHECK (sex IN ('male', 'female')),
            division text NOT NULL CHECK (division ~ '^[0-9]{6}$'),
            retirement_month date CHECK (extract(day FROM retirement_month) = 1),
            source text NOT NULL DEFAULT 'platform',
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("person", "SELECT", "INSERT", "UPDATE (phone_sealed, retirement_month)")


def employers() -> None:
    op.execute("""
        CREATE TABLE employer (
            employer_id uuid PRIMARY KEY,
            credit_code text COLLATE "C" NOT NULL UNIQUE CHECK (credit_code ~ '^[0-9A-Z]{18}$'),
            name text NOT NULL CHECK (char_length(name) BETWEEN 2 AND 100),
            division text NOT NULL CHECK (division ~ '^[0-9]{6}$'),
            injury_class smallint NOT NULL CHECK (injury_class BETWEEN 1 AND 8),
            injury_step numeric(4, 2) NOT NULL CHECK (injury_step > 0),
            register_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    # UPDATE (created) only lets the row be locked FOR UPDATE: bills of one employer are assessed one after the other.
    grant_app("employer", "SELECT", "INSERT", "UPDATE (created)")


def employments() -> None:
    op.execute("""
        CREATE TABLE employment (
            enrollment_id uuid PRIMARY KEY,
            person_id uuid NOT NULL REFERENCES person,
            employer_id uuid NOT NULL REFERENCES employer,
            post text CHECK (post IN ('management', 'production')),
            track text NOT NULL CHECK (track IN ('male_60', 'female_55', 'female_50')),
            start_month date NOT NULL CHECK (extract(day FROM start_month) = 1),
            end_month date CHECK (extract(day FROM end_month) = 1),
            end_reason text CHECK (end_reason IN ('RESIGNED', 'DISMISSED', 'CONTRACT_EXPIRED', 'RETIRED', 'DIED')),
            created timestamptz NOT NULL DEFAULT now(),
            CHECK ((end_month IS NULL) = (end_reason IS NULL)),
            CHECK (end_month >= start_month)
        )
    """)
    op.execute("CREATE UNIQUE INDEX employment_one_open ON employment (person_id) WHERE end_month IS NULL")
    op.execute("CREATE UNIQUE INDEX employment_person ON employment (person_id, start_month)")
    op.execute("CREATE INDEX employment_employer ON employment (employer_id, start_month)")
    grant_app("employment", "SELECT", "INSERT", "UPDATE (end_month, end_reason)")
    op.execute("""
        CREATE TABLE participation (
            participation_id uuid PRIMARY KEY,
            enrollment_id uuid NOT NULL REFERENCES employment,
            person_id uuid NOT NULL,
            employer_id uuid NOT NULL,
            scheme smallint NOT NULL CHECK (scheme IN (110, 210, 410)),
            state text NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED', 'ENDED')),
            track text NOT NULL CHECK (track IN ('male_60', 'female_55', 'female_50')),
            start_month date NOT NULL CHECK (extract(day FROM start_month) = 1),
            end_month date CHECK (extract(day FROM end_month) = 1),
            end_reason text CHECK (end_reason IN ('RESIGNED', 'DISMISSED', 'CONTRACT_EXPIRED', 'RETIRED', 'DIED')),
            created timestamptz NOT NULL DEFAULT now(),
            UNIQUE (enrollment_id, scheme),
            CHECK ((state = 'ENDED') = (end_month IS NOT NULL)),
            CHECK ((end_month IS NULL) = (end_reason IS NULL)),
            CHECK (end_month >= start_month)
        )
    """)
    op.execute(
        "CREATE UNIQUE INDEX participation_one_open ON participation (person_id, scheme) WHERE end_month IS NULL"
    )
    op.execute("CREATE INDEX participation_employer ON participation (employer_id, scheme, start_month)")
    grant_app("participation", "SELECT", "INSERT", "UPDATE (state, end_month, end_reason)")
    op.execute("""
        CREATE TABLE declared_wage (
            enrollment_id uuid NOT NULL REFERENCES employment,
            from_month date NOT NULL CHECK (extract(day FROM from_month) = 1),
            wage_fen bigint NOT NULL CHECK (wage_fen > 0),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (enrollment_id, from_month)
        )
    """)
    grant_app("declared_wage", "SELECT", "INSERT", "UPDATE (wage_fen)")


def bills() -> None:
    op.execute("""
        CREATE TABLE bill (
            bill_id uuid PRIMARY KEY,
            employer_id uuid NOT NULL REFERENCES employer,
            month date NOT NULL CHECK (extract(day FROM month) = 1),
            number integer NOT NULL CHECK (number > 0),     -- 1 the month's bill, then supplements
            state text NOT NULL CHECK (state IN ('ISSUED', 'PART_PAID', 'PAID')),
            person_count bigint NOT NULL CHECK (person_count > 0),
            pension_employer_fen bigint NOT NULL CHECK (pension_employer_fen >= 0),
            pension_employee_fen bigint NOT NULL CHECK (pension_employee_fen >= 0),
            unemployment_employer_fen bigint NOT NULL CHECK (unemployment_employer_fen >= 0),
            unemployment_employee_fen bigint NOT NULL CHECK (unemployment_employee_fen >= 0),
            injury_employer_fen bigint NOT NULL CHECK (injury_employer_fen >= 0),
            total_fen bigint NOT NULL CHECK (total_fen > 0),
            paid_fen bigint NOT NULL DEFAULT 0 CHECK (paid_fen BETWEEN 0 AND total_fen),
            terms jsonb NOT NULL,       -- the rows of law that were in force: every line's statement follows from them
            provisional boolean NOT NULL,
            policy_version text NOT NULL,
            assess_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            UNIQUE (employer_id, month, number),
            CHECK (total_fen = pension_employer_fen + pension_employee_fen + unemployment_employer_fen
                             + unemployment_employee_fen + injury_employer_fen),
            CHECK (state = CASE WHEN paid_fen = total_fen THEN 'PAID' WHEN paid_fen > 0 THEN 'PART_PAID'
                                ELSE 'ISSUED' END)
        )
    """)
    op.execute("CREATE INDEX bill_state ON bill (state, bill_id)")
    grant_app("bill", "SELECT", "INSERT", "UPDATE (state, paid_fen)")
    # No foreign key to person: lines come by the thousand, and each check would lock and rewrite the person's row; they
    # come from employments, which have the key, and no role may delete a person.
    op.execute("""
        CREATE TABLE bill_line (
            bill_id uuid NOT NULL REFERENCES bill,
            person_id uuid NOT NULL,
            enrollment_id uuid NOT NULL,
            month date NOT NULL CHECK (extract(day FROM month) = 1),
            wage_fen bigint NOT NULL CHECK (wage_fen > 0),
            base_fen bigint NOT NULL CHECK (base_fen > 0),
            pension_employer_fen bigint NOT NULL CHECK (pension_employer_fen >= 0),
            pension_employee_fen bigint NOT NULL CHECK (pension_employee_fen >= 0),
            unemployment_employer_fen bigint NOT NULL CHECK (unemployment_employer_fen >= 0),
            unemployment_employee_fen bigint NOT NULL CHECK (unemployment_employee_fen >= 0),
            injury_employer_fen bigint NOT NULL CHECK (injury_employer_fen >= 0),
            account_fen bigint NOT NULL
                CHECK (account_fen > 0 AND account_fen <= pension_employer_fen + pension_employee_fen),
            PRIMARY KEY (bill_id, person_id),
            UNIQUE (person_id, month)       -- a person-month is billed once, for ever
        )
    """)
    op.execute("CREATE INDEX bill_line_enrollment ON bill_line (enrollment_id, month)")
    grant_app("bill_line", append_only=True)
    op.execute("""
        CREATE TABLE receipt (
            receipt_id uuid PRIMARY KEY,
            receipt_no text COLLATE "C" NOT NULL UNIQUE CHECK (receipt_no ~ '^[0-9A-Za-z-]{4,40}$'),
            bill_id uuid NOT NULL REFERENCES bill,
            amount_fen bigint NOT NULL CHECK (amount_fen > 0),
            paid_date date NOT NULL,
            simulated boolean NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX receipt_bill ON receipt (bill_id)")
    grant_app("receipt", append_only=True)


def contributions() -> None:
    op.execute("""
        CREATE TABLE contribution (
            person_id uuid NOT NULL,
            month date NOT NULL CHECK (extract(day FROM month) = 1),
            scheme smallint NOT NULL CHECK (scheme IN (110, 210, 410)),
            state text NOT NULL CHECK (state IN ('PAID', 'DEEMED')),
            base_fen bigint NOT NULL CHECK (base_fen >= 0),
            employer_fen bigint NOT NULL CHECK (employer_fen >= 0),
            employee_fen bigint NOT NULL CHECK (employee_fen >= 0),
            bill_id uuid,
            import_source text,
            employer_code text,         -- credit code of the employer in the delivering system
            PRIMARY KEY (person_id, month, scheme),
            CHECK ((bill_id IS NULL) <> (import_source IS NULL)),
            CHECK (state = 'PAID' OR bill_id IS NULL),
            CHECK (state = 'DEEMED' OR base_fen > 0)
        )
    """)
    op.execute("CREATE INDEX contribution_bill ON contribution (bill_id) WHERE bill_id IS NOT NULL")
    grant_app("contribution", append_only=True)


def accounts() -> None:
    op.execute("""
        CREATE TABLE account (
            person_id uuid PRIMARY KEY REFERENCES person,
            balance_fen bigint NOT NULL CHECK (balance_fen >= 0),
            first_year integer NOT NULL CHECK (first_year BETWEEN 1990 AND 2200),
            closed_through integer CHECK (closed_through >= first_year),
            settle_month date CHECK (extract(day FROM settle_month) = 1),
            created timestamptz NOT NULL DEFAULT now()
        ) WITH (fillfactor = 80)
    """)
    grant_app("account", "SELECT", "INSERT", "UPDATE (balance_fen, first_year, closed_through, settle_month)")
    op.execute("""
        CREATE TABLE account_entry (
            person_id uuid NOT NULL REFERENCES account,
            kind text NOT NULL CHECK (kind IN ('CONTRIBUTION', 'INTEREST', 'IMPORTED_BALANCE')),
            source text COLLATE "C" NOT NULL,
            year integer NOT NULL CHECK (year BETWEEN 1990 AND 2200),
            booked_month date NOT NULL
                CHECK (extract(day FROM booked_month) = 1 AND extract(year FROM booked_month) = year),
            amount_fen bigint NOT NULL CHECK (amount_fen > 0 OR (amount_fen < 0 AND (
                kind = 'INTEREST' OR (kind = 'CONTRIBUTION' AND source LIKE 'settlement:%')))),
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (person_id, kind, source)
        )
    """)
    op.execute(
        "CREATE UNIQUE INDEX account_entry_one_import ON account_entry (person_id) WHERE kind = 'IMPORTED_BALANCE'"
    )
    grant_app("account_entry", append_only=True)
    op.execute("""
        CREATE TABLE account_year (
            person_id uuid NOT NULL REFERENCES account,
            year integer NOT NULL CHECK (year BETWEEN 1990 AND 2200),
            opening_fen bigint NOT NULL CHECK (opening_fen >= 0),
            contribution_fen bigint NOT NULL CHECK (contribution_fen >= 0),
            interest_fen bigint NOT NULL CHECK (interest_fen >= 0),
            imported_fen bigint NOT NULL CHECK (imported_fen >= 0),
            closing_fen bigint NOT NULL,
            statement jsonb,                    -- none for an imported year
            provisional boolean NOT NULL,
            policy_version text NOT NULL,
            source text NOT NULL,
            created timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (person_id, year),
            CHECK (closing_fen = opening_fen + contribution_fen + interest_fen + imported_fen),
            CHECK ((statement IS NULL) = (source <> 'platform'))
        )
    """)
    grant_app("account_year", append_only=True)
    op.execute("""
        CREATE TABLE account_settlement (
            person_id uuid PRIMARY KEY REFERENCES account,
            retirement_month date NOT NULL CHECK (extract(day FROM retirement_month) = 1),
            balance_fen bigint NOT NULL CHECK (balance_fen >= 0),
            statement jsonb NOT NULL,
            provisional boolean NOT NULL,
            policy_version text NOT NULL,
            settle_date date NOT NULL,
            created timestamptz NOT NULL DEFAULT now()
        )
    """)
    grant_app("account_settlement", append_only=True)
