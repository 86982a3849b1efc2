"""Many messages in one transaction: what a stream of single facts would pay for each commit is paid once.

Only the plain case is done here: every event is new, every fact is the next of its aggregate, nothing waits for it,
and its effects are rows and no more. In every other case the transaction is rolled back, as if nothing had arrived,
and the messages are received one by one (`chassis.receive`), where refusals, gaps and repetitions have their rules.
So what takes effect, and when a message may be acknowledged, is the same; only the number of commits differs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from chassis import lanes, transaction
from chassis.facts import day_of
from chassis.logs import get_logger
from chassis.outbox import FACTS_MAX
from chassis.principal import Principal

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from datetime import date
    from uuid import UUID

    from chassis.database import Database
    from chassis.facts import EventType
    from chassis.inbox import Consumer
    from chassis.receive import Incoming
    from chassis.transaction import Transaction

log = get_logger(__name__)

MESSAGES_MAX = 64  # so many go one by one when one of them does not fit

# New aggregates begin with version 1, known ones move on from the version before; who does neither does not count.
ACCEPT = """
    WITH heard AS (
        INSERT INTO inbox (event_id, producer, subject)
        SELECT said.event_id, $1::text, said.subject FROM unnest($2::uuid[], $3::text[]) AS said (event_id, subject)
        ON CONFLICT DO NOTHING RETURNING true
    ), begun AS (
        INSERT INTO seen (kind, id, version)
        SELECT kind, id, last
        FROM unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[]) AS one (kind, id, first, last)
        WHERE first = 1 ON CONFLICT DO NOTHING RETURNING true
    ), moved AS (
        UPDATE seen SET version = one.last
        FROM unnest($4::text[], $5::text[], $6::bigint[], $7::bigint[]) AS one (kind, id, first, last)
        WHERE one.first > 1 AND seen.kind = one.kind AND seen.id = one.id
          AND seen.version = one.first - 1 AND NOT seen.is_behind
        RETURNING true
    )
    SELECT (SELECT count(*) FROM heard) AS heard,
           (SELECT count(*) FROM begun) + (SELECT count(*) FROM moved) AS passed
"""


class NotPlain(Exception):  # noqa: N818 - a signal: what is tried here needs the rules of single messages
    """Something among the messages is not the plain case; nothing was changed."""


@dataclass(slots=True)
class Group:
    """Facts of one type and business day that take effect in one call."""

    event_type: EventType
    day: date
    facts: list[Any] = field(default_factory=list)


async def receive_together(database: Database, consumer: Consumer, messages: Sequence[Incoming]) -> bool:
    """Let messages take effect in one transaction; False when nothing happened and each must go alone."""
    if database.settings.is_off("inbox") or database.settings.is_off("gate"):
        return False
    try:
        spans = _spans(messages)
        groups = _groups(messages)
        await transaction.run(
            database,
            lambda tx: _receive(tx, consumer, messages, spans, groups),
            principal=Principal.system(database.settings.service),
            today=groups[0].day,
            method=f"{consumer.producer} events",
        )
    except NotPlain:
        return False
    except Exception as error:  # noqa: BLE001 - each alone finds out whose failure it is, and what follows from it
        log.info("received_one_by_one", count=len(messages), error=type(error).__name__)
        return False
    return True


def packs(
    items: Sequence[Any], message_of: Callable[[Any], Incoming], is_alone: Callable[[Any], bool]
) -> Iterator[list[Any]]:
    """Split items into packs that may go side by side: whole lanes each; what must go alone is in a lane of its own."""
    pack: list[Any] = []
    count = 0

    def keys_of(item: Any) -> Collection[str]:
        return message_of(item).keys

    for lane in lanes.lanes(items, keys_of):
        if any(is_alone(item) for item in lane):
            yield lane
            continue
        facts = sum(len(message_of(item).facts) for item in lane)
        if pack and (count + facts > FACTS_MAX or len(pack) + len(lane) > MESSAGES_MAX):
            yield pack
            pack, count = [], 0
        pack, count = pack + lane, count + facts
    if pack:
        yield pack


async def _receive(
    tx: Transaction,
    consumer: Consumer,
    messages: Sequence[Incoming],
    spans: dict[tuple[str, str], tuple[int, int]],
    groups: Sequence[Group],
) -> None:
    keys = sorted(spans)  # as everywhere, in one order
    row = await tx.fetchrow(
        ACCEPT,
        consumer.producer,
        [message.event_id for message in messages],
        [message.subject for message in messages],
        [kind for kind, _ in keys],
        [key for _, key in keys],
        [spans[key][0] for key in keys],
        [spans[key][1] for key in keys],
    )
    if row is None or row["heard"] < len(messages) or row["passed"] < len(keys):
        raise NotPlain
    for group in groups:
        await consumer.apply(tx, group.event_type, group.facts)
    if not tx.is_silent:  # its audit rows and facts are to name the event they come from
        raise NotPlain


def _spans(messages: Sequence[Incoming]) -> dict[tuple[str, str], tuple[int, int]]:
    """First and last version of each aggregate; they must follow each other, and each event be there once."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    events: set[UUID | None] = set()
    for message in messages:
        if message.event_type is None or message.event_id in events:
            raise NotPlain
        events.add(message.event_id)
        for fact in message.facts:
            key, version = (message.event_type.kind, fact.header.aggregate_id), fact.header.version
            first, last = found.get(key, (version, version - 1))
            if version != last + 1:
                raise NotPlain
            found[key] = first, version
    return found


def _groups(messages: Sequence[Incoming]) -> list[Group]:
    """Group facts by type and day, keeping the order of each aggregate over the groups."""
    made: list[Group] = []
    open_group: dict[tuple[str, date], int] = {}
    last_group: dict[str, int] = {}
    for message in messages:
        event_type = message.event_type
        assert event_type is not None
        for fact in message.facts:
            key, day = event_type.key(fact), day_of(fact)
            at = open_group.get((event_type.name, day), -1)
            if at < last_group.get(key, 0):
                at = open_group[event_type.name, day] = len(made)
                made.append(Group(event_type, day))
            made[at].facts.append(fact)
            last_group[key] = at
    return made
