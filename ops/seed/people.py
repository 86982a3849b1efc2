"""A plausible city, drawn from a seed: persons, their employers by size, employments, wages, gaps, accounts.

Pure values: the same seed gives the same city, and a larger city contains the smaller one of its seed. Nobody in it
exists: every number is of region 990000, which belongs to nobody. What is *assumed* here is the shape of a city and no
rule of law: sizes of employers follow Zipf, wages have a median near 6,800 a month and a long tail, every twelfth
person changed the employer within the year and every twentieth left.

People live in blocks of two thousand with two hundred employers each; three employers out of each hundred blocks are
large and take people from all of these. Ids are spread over ten years, as those of a register that grew: rows that
belong together do not lie together, which is what a run over a city meets.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING
from uuid import UUID

from kernel.calendar import Month
from kernel.identity import TEST_REGION, make_credit_code, make_resident_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kernel.identity import Sex

PERSONS_MAX = 8_000_000
BLOCK_PERSONS, BLOCK_EMPLOYERS = 2_000, 200
GROUP_BLOCKS = 100
_LARGE = (0.05, 0.03, 0.02)  # what part of the people of its blocks each large employer has
_GREW_MS = 10 * 365 * 86_400_000  # the time over which ids are spread: ten years

# Age at the start of the year, how many numbers of each birth day are used, and whether women are among them.
_AGES = tuple(
    (age, 400 if age < 23 else 998 if age < 50 else 800 if age < 55 else 499, age < 55)  # noqa: PLR2004 - as it says
    for age in range(18, 60)
)
_YEAR_DAYS = 365
_SLOTS = tuple(accumulate(capacity * _YEAR_DAYS for _, capacity, _ in _AGES))
# Prime to the number of slots: steps of it meet every slot once before the first again.
_STRIDE = next(step for step in range(8_233_627, 8_240_000) if math.gcd(step, _SLOTS[-1]) == 1)

# Monthly wage in yuan at each twentieth of the people; between two of them any amount is as likely.
_WAGES = (
    2_490, 3_200, 3_700, 4_100, 4_500, 4_850, 5_200, 5_550, 5_900, 6_350, 6_800, 7_300, 7_900, 8_600, 9_400, 10_400,
    11_800, 13_800, 17_000, 23_500, 60_000,
)  # fmt: skip
# How many people each employer of a block has, as parts, summed up: the large ones, then Zipf.
_HARMONIC = sum(1 / rank for rank in range(1, BLOCK_EMPLOYERS + 1))
_SIZES = tuple(accumulate((*_LARGE, *((1 - sum(_LARGE)) / rank / _HARMONIC for rank in range(1, BLOCK_EMPLOYERS + 1)))))
_DIVISIONS = ("320612", "320613", "320614", "320623", "320681", "320682", "320685")
_CLASSES = ((1, 22), (2, 34), (3, 18), (4, 6), (5, 3), (6, 13), (7, 2), (8, 2))  # industry class, parts of a hundred
_STEPS = ("1.00", "1.00", "1.00", "0.80", "0.50", "1.20", "1.50")
_STEPS_OF_CLASS_1 = ("1.00", "1.00", "1.00", "1.20", "1.50")
_SURNAMES = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许邓韩冯曹彭曾肖田董潘袁蔡蒋余"
_GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国文辉红梅志鹏飞雪琳浩宇欣怡晨佳豪子轩诗涵思远若溪嘉铭"
_RARE = "堃喆㛃𬍛𬭎龑"  # characters that a register must keep whole
_TRADES = ("纺织", "家纺", "船舶配件", "电子", "建筑安装", "食品", "物流", "机械", "软件", "商贸", "化工", "医疗器械")


@dataclass(frozen=True, slots=True)
class Plan:
    """What is drawn.

    Args:
        seed: Which city.
        persons: How many people.
        month: The last month that has begun; employments start with its year, earlier years are brought in.
        history_years: Contribution months brought in, so many years back at most.
        history_every: Only each so many-th person has them.
    """

    seed: int
    persons: int
    month: Month
    history_years: int = 0
    history_every: int = 1

    @property
    def first_month(self) -> Month:
        """The month in which the city came to the platform."""
        return Month(self.month.year, 1)

    @property
    def blocks(self) -> int:
        """How many blocks the people fill."""
        return -(-self.persons // BLOCK_PERSONS)


@dataclass(frozen=True, slots=True)
class Firm:
    """An employer."""

    employer_id: UUID
    credit_code: str
    name: str
    division: str
    injury_class: int
    injury_step: str


@dataclass(frozen=True, slots=True)
class Job:
    """An employment with its wages (month, yuan); open while it has no end."""

    enrollment_id: UUID
    participation_ids: tuple[UUID, UUID, UUID]
    employer_id: UUID
    start: Month
    end: Month | None
    reason: str | None
    wages: tuple[tuple[Month, int], ...]


@dataclass(frozen=True, slots=True, repr=False)
class Citizen:
    """A person of the city; shows nothing of the identity, though nobody has it.

    ``balance_fen`` is that of the personal account at the end of the last year, 0 for nobody's; ``history`` the
    contribution months brought in with their base in yuan.
    """

    number: int
    person_id: UUID
    name: str
    id_no: str
    birth: date
    sex: Sex
    is_manager: bool
    jobs: tuple[Job, ...]
    balance_fen: int
    history: tuple[tuple[Month, int], ...]

    def __repr__(self) -> str:
        return f"Citizen({self.number})"


def firms(plan: Plan) -> Iterator[Firm]:
    """The employers of a city: the large ones of each group of blocks, then those of each block."""
    for block in range(plan.blocks):
        if block % GROUP_BLOCKS == 0:
            yield from _large(plan, block // GROUP_BLOCKS)
        yield from _of_block(plan, block)


def citizens(plan: Plan, first: int, last: int) -> Iterator[Citizen]:
    """The people from one number to before another."""
    for block in range(first // BLOCK_PERSONS, -(-last // BLOCK_PERSONS)):
        draw = _draw(plan, "block", block)
        employers = [firm.employer_id for firm in (*_large(plan, block // GROUP_BLOCKS), *_of_block(plan, block))]
        for number in range(block * BLOCK_PERSONS, min((block + 1) * BLOCK_PERSONS, last)):
            one = _citizen(plan, number, draw, employers)
            if number >= first:
                yield one


def _citizen(plan: Plan, number: int, draw: random.Random, employers: Sequence[UUID]) -> Citizen:
    birth, sequence, age = _slot(plan, number)
    sex: Sex = "male" if sequence % 2 else "female"
    is_manager = draw.random() < 0.35 or (sex == "female" and age > 47)  # noqa: PLR2004 - else she is retired
    wage = _wage(draw)
    jobs = tuple(_jobs(plan, draw, employers, wage))
    worked = int(max(0, age - 20) * 12 * (0.6 + 0.4 * draw.random()))
    is_new = jobs[0].start > plan.first_month and draw.random() < 0.6  # noqa: PLR2004 - the others were elsewhere
    months = 0 if is_new else worked
    # Eight of a hundred of a wage that was three quarters of today's on the average, with its interest.
    balance_fen = wage * 100 * 8 * months * 3 // 400 * (100 + months // 8) // 100
    return Citizen(
        number=number,
        person_id=_id(plan, draw),
        name=_name(draw),
        id_no=make_resident_id(TEST_REGION, birth, sequence),
        birth=birth,
        sex=sex,
        is_manager=is_manager,
        jobs=jobs,
        balance_fen=balance_fen,
        history=tuple(_history(plan, number, draw, months, wage)),
    )


def _jobs(plan: Plan, draw: random.Random, employers: Sequence[UUID], wage: int) -> Iterator[Job]:
    """One employment or two with a gap between them, within the year."""
    first, last = plan.first_month, plan.month
    kind, until, gap = draw.random(), draw.randrange(12), draw.randrange(3)
    starts, ends = first, first.plus(until)
    places = [employers[bisect_right(_SIZES, draw.random() * _SIZES[-1])] for _ in range(2)]
    if kind < 0.05 and ends < last:  # noqa: PLR2004 - left
        yield _job(plan, draw, places[0], start=starts, end=ends, wage=wage)
    elif kind < 0.13 and ends.plus(gap) < last:  # noqa: PLR2004 - changed
        yield _job(plan, draw, places[0], start=starts, end=ends, wage=wage)
        yield _job(plan, draw, places[1], start=ends.plus(gap + 1), end=None, wage=wage + wage // 20)
    elif kind < 0.18 and ends <= last:  # noqa: PLR2004 - came within the year
        yield _job(plan, draw, places[0], start=ends, end=None, wage=wage)
    else:
        yield _job(plan, draw, places[0], start=starts, end=None, wage=wage)


def _job(plan: Plan, draw: random.Random, employer_id: UUID, *, start: Month, end: Month | None, wage: int) -> Job:
    wages = [(start, wage)]
    july = Month(plan.month.year, 7)  # the yearly declaration
    raised = wage * (1000 + draw.randrange(80)) // 1000
    if start < july <= (end or plan.month) and draw.random() < 0.7:  # noqa: PLR2004 - the others leave it as it is
        wages.append((july, raised))
    reason = ("RESIGNED", "CONTRACT_EXPIRED", "DISMISSED")[draw.randrange(3)]
    ids = (_id(plan, draw), _id(plan, draw), _id(plan, draw))
    return Job(_id(plan, draw), ids, employer_id, start, end, reason if end else None, tuple(wages))


def _history(plan: Plan, number: int, draw: random.Random, months: int, wage: int) -> Iterator[tuple[Month, int]]:
    """The months before, newest first; a third of the people have a gap of up to a year and a half."""
    gap_from, gap_months = draw.randrange(1, 361), draw.randrange(1, 19) if draw.random() < 1 / 3 else 0
    if not plan.history_years or number % plan.history_every:
        return
    for back in range(1, min(months, plan.history_years * 12) + 1):
        if not gap_from <= back < gap_from + gap_months:
            yield plan.first_month.plus(-back), max(wage * (1200 - 2 * back) // 1200, wage // 3)


def _slot(plan: Plan, number: int) -> tuple[date, int, int]:
    """Birth date, sequence and age: each number of a person is another place in the table of all birth days."""
    place = (number * _STRIDE + plan.seed * 2_654_435_761) % _SLOTS[-1]
    row = bisect_right(_SLOTS, place)
    age, capacity, has_women = _AGES[row]
    day, sequence = divmod(place - (_SLOTS[row - 1] if row else 0), capacity)
    birth = date(plan.month.year - age - 1, 1, 2) + timedelta(days=day)
    return birth, sequence + 1 if has_women else 2 * sequence + 1, age


def _large(plan: Plan, group: int) -> list[Firm]:
    draw = _draw(plan, "group", group)
    return [_firm(plan, draw, f"L{group:05d}{place}") for place in range(len(_LARGE))]


def _of_block(plan: Plan, block: int) -> list[Firm]:
    draw = _draw(plan, "firms", block)
    return [_firm(plan, draw, f"{block * BLOCK_EMPLOYERS + place:07d}") for place in range(BLOCK_EMPLOYERS)]


def _firm(plan: Plan, draw: random.Random, number: str) -> Firm:
    (injury_class,) = draw.choices([one for one, _ in _CLASSES], [part for _, part in _CLASSES])
    name = f"南通{''.join(draw.choices(_GIVEN, k=2))}{_TRADES[draw.randrange(len(_TRADES))]}有限公司"
    return Firm(
        employer_id=_id(plan, draw),
        credit_code=make_credit_code("320601", f"Y{number}"),
        name=name,
        division=_DIVISIONS[draw.randrange(len(_DIVISIONS))],
        injury_class=injury_class,
        injury_step=draw.choice(_STEPS_OF_CLASS_1 if injury_class == 1 else _STEPS),
    )


def _wage(draw: random.Random) -> int:
    row = draw.randrange(len(_WAGES) - 1)
    return draw.randrange(_WAGES[row], _WAGES[row + 1])


def _name(draw: random.Random) -> str:
    given = draw.choices(_GIVEN, k=1 + (draw.random() < 0.8))  # noqa: PLR2004 - four of five have two characters
    if draw.random() < 0.001:  # noqa: PLR2004 - one of a thousand
        given[0] = _RARE[draw.randrange(len(_RARE))]
    return _SURNAMES[draw.randrange(len(_SURNAMES))] + "".join(given)


def _id(plan: Plan, draw: random.Random) -> UUID:
    """An id of the ten years before the city came (UUID version 7)."""
    bits = draw.getrandbits(74 + 64)
    millisecond = _until(plan.month.year) - (bits >> 74) % _GREW_MS
    high, low = (bits >> 62) & 0xFFF, bits & ((1 << 62) - 1)
    return UUID(int=(millisecond << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)


@cache
def _until(year: int) -> int:
    """The first millisecond of a year."""
    return (date(year, 1, 1) - date(1970, 1, 1)).days * 86_400_000


def _draw(plan: Plan, *place: object) -> random.Random:
    """The randomness of one place in the city, which no other place disturbs."""
    return random.Random(f"{plan.seed}/{plan.first_month}/{'/'.join(map(str, place))}")  # noqa: S311 - no secret
