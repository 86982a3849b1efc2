"""What cards do by themselves (定时任务): the day of all cards, and of family accounts.

Days and times are the office's habit and no rule of law (*assumed*, docs/decisions/0270).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from chassis.timetable import Entry, daily
from services.card.operations import daily as card_days
from services.card.operations import family_days

if TYPE_CHECKING:
    from uuid import UUID

    from chassis.transaction import Transaction
    from services.card.operations.office import Office


def entries(office: Office) -> list[Entry]:
    """The recurring work of cards."""

    async def day(tx: Transaction) -> UUID:
        return (await card_days.start(tx, office)).id

    async def families(tx: Transaction) -> UUID:
        return (await family_days.start(tx, office)).id

    return [
        Entry(
            "card_day",
            "卡有效期届满、临时挂失到期",
            "Cards whose validity is over, temporary losses that lapse",
            daily("00:05"),
            day,
        ),
        Entry(
            "family_day",
            "亲情账户到期、被代理人成年、邀请逾期",
            "Family accounts whose term is over, wards who came of age, invitations that lapse",
            daily("00:10"),
            families,
        ),
    ]
