"""What enrollment announced, as rows: written a whole chunk of facts at a time, read one person at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from kernel.calendar import Month
from kernel.money import Money
from services.benefits.entitlement import Spell
from services.benefits.history import EMPTY_YEAR, History, Scheme, YearRecord
from services.benefits.projection import OpenAccount, booking_month
from services.benefits.store.rows import AccountRow, ParticipationRow, PersonRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.benefits.heard import (
        EndedParticipation,
        HeardCredit,
        HeardPerson,
        SettledAccount,
        SettledItem,
        StartedParticipation,
    )

# Later facts of one key stand later in a chunk, and one statement may touch a row once: so chunks are first reduced to
# the last fact of each key.


async def save_persons(tx: Transaction, persons: Sequence[HeardPerson]) -> None:
    """Write persons, known or new."""
    last = {one.person_id: one for one in persons}
    await tx.execute(
        """
        INSERT INTO person (person_id, birth_date, sex, division)
        SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[], $4::text[])
        ON CONFLICT (person_id) DO UPDATE
        SET birth_date = excluded.birth_date, sex = excluded.sex, division = excluded.division
        """,
        list(last),
        [one.birth_date for one in last.values()],
        [one.sex for one in last.values()],
        [one.division for one in last.values()],
    )


async def save_started(tx: Transaction, started: Sequence[StartedParticipation]) -> None:
    """Write participations that started; one that ended and starts again goes on."""
    last = {one.participation_id: one for one in started}
    await tx.execute(
        """
        INSERT INTO participation (participation_id, person_id, employer_id, scheme, start_month, track, division)
        SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::date[], $6::text[], $7::text[])
        ON CONFLICT (participation_id) DO UPDATE
        SET start_month = excluded.start_month, track = excluded.track, division = excluded.division,
            end_month = NULL, end_reason = NULL
        """,
        list(last),
        [one.person_id for one in last.values()],
        [one.employer_id for one in last.values()],
        [one.scheme.value for one in last.values()],
        [one.start_month.first_day for one in last.values()],
        [one.track and one.track.value for one in last.values()],
        [one.division for one in last.values()],
    )


async def save_ended(tx: Transaction, ended: Sequence[EndedParticipation]) -> None:
    """Write the ends of participations. The gate puts them after their starts."""
    last = {one.participation_id: one for one in ended}
    await tx.execute(
        """
        UPDATE participation SET end_month = fact.end_month, end_reason = fact.reason, ended_after = fact.after
        FROM unnest($1::uuid[], $2::date[], $3::text[], $4::bigint[])
          AS fact (participation_id, end_month, reason, after)
        WHERE participation.participation_id = fact.participation_id
        """,
        list(last),
        [one.end_month.first_day for one in last.values()],
        [one.reason for one in last.values()],
        [one.contributions_version for one in last.values()],
    )


async def save_settled(tx: Transaction, items: Sequence[SettledItem]) -> None:
    """Write settled months into the years they belong to; a later fact of a month replaces the earlier one."""
    keys = sorted({(one.person_id, one.scheme.value, one.month.year) for one in items})
    columns = ([key[0] for key in keys], [key[1] for key in keys], [key[2] for key in keys])
    rows = await tx.fetch(
        """
        SELECT stored.person_id, stored.scheme, stored.year, bases_fen, states
        FROM contribution_year AS stored
        JOIN unnest($1::uuid[], $2::text[], $3::smallint[]) AS asked (person_id, scheme, year)
          USING (person_id, scheme, year)
        ORDER BY stored.person_id, stored.scheme, stored.year
        FOR UPDATE OF stored
        """,
        *columns,
    )
    years = dict.fromkeys(keys, EMPTY_YEAR)
    for row in rows:
        years[row["person_id"], row["scheme"], row["year"]] = YearRecord(tuple(row["bases_fen"]), row["states"])
    for one in items:
        key = (one.person_id, one.scheme.value, one.month.year)
        years[key] = years[key].with_month(one.month.month, one.base, one.standing)
    await tx.execute(
        """
        INSERT INTO contribution_year (person_id, scheme, year, bases_fen, states)
        SELECT person_id, scheme, year, string_to_array(bases, ',')::bigint[], states
        FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::text[], $5::text[])
          AS fact (person_id, scheme, year, bases, states)
        ON CONFLICT (person_id, scheme, year) DO UPDATE
        SET bases_fen = excluded.bases_fen, states = excluded.states
        """,
        *columns,
        [",".join(map(str, years[key].bases_fen)) for key in keys],
        [years[key].states for key in keys],
    )


async def save_credits(tx: Transaction, credits_: Sequence[HeardCredit]) -> None:
    """Write credits of personal accounts and their latest balance."""
    await tx.execute(
        """
        INSERT INTO account_credit (person_id, version, kind, year, booking_month, amount_fen, balance_fen)
        SELECT * FROM unnest(
          $1::uuid[], $2::bigint[], $3::text[], $4::smallint[], $5::date[], $6::bigint[], $7::bigint[]
        )
        ON CONFLICT (person_id, version) DO NOTHING
        """,
        [one.person_id for one in credits_],
        [one.version for one in credits_],
        [one.kind for one in credits_],
        [one.year for one in credits_],
        [one.booking_month.first_day for one in credits_],
        [one.amount.fen for one in credits_],
        [one.balance.fen for one in credits_],
    )
    last = {one.person_id: one.balance.fen for one in credits_}
    await tx.execute(
        """
        INSERT INTO account (person_id, balance_fen) SELECT * FROM unnest($1::uuid[], $2::bigint[])
        ON CONFLICT (person_id) DO UPDATE SET balance_fen = excluded.balance_fen
        """,
        list(last),
        list(last.values()),
    )


async def save_settlements(tx: Transaction, settled: Sequence[SettledAccount]) -> None:
    """Write settlements of personal accounts at retirement."""
    last = {one.person_id: one for one in settled}
    await tx.execute(
        """
        INSERT INTO account (person_id, balance_fen, settled_month, settled_balance_fen, settled_provisional,
                             settled_after)
        SELECT person_id, balance, month, balance, provisional, after
        FROM unnest($1::uuid[], $2::date[], $3::bigint[], $4::boolean[], $5::bigint[])
          AS fact (person_id, month, balance, provisional, after)
        ON CONFLICT (person_id) DO UPDATE
        SET balance_fen = excluded.balance_fen, settled_month = excluded.settled_month,
            settled_balance_fen = excluded.settled_balance_fen, settled_provisional = excluded.settled_provisional,
            settled_after = excluded.settled_after
        """,
        list(last),
        [one.retirement_month.first_day for one in last.values()],
        [one.balance.fen for one in last.values()],
        [one.provisional for one in last.values()],
        [one.contributions_version for one in last.values()],
    )


async def person(tx: Transaction, person_id: UUID) -> PersonRow | None:
    """A person, if enrollment has announced one; of a record that went up in another, the survivor."""
    row = await tx.fetchrow("SELECT survivor_id FROM forward WHERE person_id = $1", person_id)
    return await tx.session.get(PersonRow, row["survivor_id"] if row else person_id)


async def same(tx: Transaction, person_id: UUID) -> Sequence[UUID]:
    """All ids of the person behind one id, the id itself among them."""
    row = await tx.fetchrow("SELECT same_person($1) AS ids", person_id)
    return list(row["ids"]) if row else [person_id]


async def save_deaths(tx: Transaction, deaths: Mapping[UUID, Month | None]) -> None:
    """Write the months of deaths, or that nobody died."""
    await tx.execute(
        """
        UPDATE person SET died_month = fact.month FROM unnest($1::uuid[], $2::date[]) AS fact (person_id, month)
        WHERE person.person_id = fact.person_id
        """,
        list(deaths),
        [month and month.first_day for month in deaths.values()],
    )


async def save_merged(tx: Transaction, survivors: Mapping[UUID, UUID]) -> None:
    """Write which records went up in which."""
    await tx.execute(
        """
        INSERT INTO forward (person_id, survivor_id) SELECT * FROM unnest($1::uuid[], $2::uuid[])
        ON CONFLICT (person_id) DO UPDATE SET survivor_id = excluded.survivor_id
        """,
        list(survivors),
        list(survivors.values()),
    )


async def remove_merged(tx: Transaction, person_ids: Sequence[UUID]) -> None:
    """Records stand by themselves again."""
    await tx.execute("DELETE FROM forward WHERE person_id = ANY($1::uuid[])", list(person_ids))


async def spells(tx: Transaction, person_id: UUID) -> Sequence[Spell]:
    """All participations of a person, earliest first."""
    query = (
        select(ParticipationRow)
        .where(col(ParticipationRow.person_id).in_(await same(tx, person_id)))
        .order_by(col(ParticipationRow.start_month), col(ParticipationRow.participation_id))
    )
    return [
        Spell(
            scheme=row.scheme,
            start_month=row.start_month,
            end_month=row.end_month,
            end_reason=row.end_reason,
            track=row.track,
            division=row.division,
            ended_after=row.ended_after,
        )
        for row in (await tx.session.scalars(query)).all()
    ]


async def history(tx: Transaction, person_id: UUID, scheme: Scheme) -> History:
    """The contribution history of a person in one scheme."""
    rows = await tx.fetch(
        """
        SELECT year, bases_fen, states FROM contribution_year
        WHERE person_id = ANY(same_person($1)) AND scheme = $2
        """,
        person_id,
        scheme.value,
    )
    years: dict[int, YearRecord] = {}
    for row in rows:  # a year may stand under several ids; no month does
        record = YearRecord(tuple(row["bases_fen"]), row["states"])
        years[row["year"]] = years[row["year"]].joined(record) if row["year"] in years else record
    return History.of_years(years)


async def account(tx: Transaction, person_id: UUID) -> AccountRow | None:
    """The personal account of a person, if anything was ever credited."""
    return await tx.session.get(AccountRow, person_id)


async def lock_persons(tx: Transaction, person_ids: Iterable[UUID]) -> None:
    """Hold persons still: who decides about a person's benefits, and who hears what ends them, goes one by one."""
    await tx.execute(
        "SELECT 1 FROM person WHERE person_id = ANY($1::uuid[]) ORDER BY person_id FOR NO KEY UPDATE",
        sorted(set(person_ids)),
    )


async def open_account(tx: Transaction, person_id: UUID) -> OpenAccount | None:
    """The personal account from the start of the year after the last closed one; None when nothing was credited.

    A year is closed by its interest or by an imported balance. Sums do not depend on the order in which enrollment
    booked: contributions of a new year often come before the interest of the old one.
    """
    rows = await tx.fetch(
        """
        SELECT kind, year, booking_month, sum(amount_fen)::bigint AS fen
        FROM account_credit WHERE person_id = ANY(same_person($1)) GROUP BY kind, year, booking_month
        """,
        person_id,
    )
    if not rows:
        return None
    closed = [row["year"] for row in rows if row["kind"] != "CONTRIBUTION"]
    last_closed = max(closed) if closed else min(row["year"] for row in rows) - 1
    booked: dict[Month, Money] = {}
    for row in rows:
        if row["year"] > last_closed:
            month = booking_month(row["year"], Month.of(row["booking_month"]))
            booked[month] = booked.get(month, Money.ZERO) + Money(row["fen"])
    opening = Money(sum(row["fen"] for row in rows if row["year"] <= last_closed))
    return OpenAccount(last_closed + 1, opening, booked)
