"""Invented inputs for the kinds of examples of pensions, accounts and contributions, leaning to the edges of rules."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from tests.policy import second_accounts, second_pensions
from tests.policy.second_pensions import named
from tests.policy.second_program import text

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

Plain = dict[str, Any]
BASES = ("8613", "8785", "8917")  # 计发基数 of 2023 to 2025
DIGITS = "0123456789"


class Inventor:
    """Makes inputs by chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def of(self, kind: str) -> Plain:
        """Inputs of a kind."""
        make: Callable[[], Plain] = getattr(self, kind)
        return make()

    def retirement(self) -> Plain:
        """Any birth, with a day or without."""
        return {
            "track": self._one(*second_pensions.TRACKS),
            "birth": self._month(1950, 2010) + self._one("", "-01", "-28"),
        }

    def flexible(self) -> Plain:
        """A month around the window, months around the steps of the minimum."""
        chance = self._chance
        person = {"track": self._one(*second_pensions.TRACKS), "birth": self._month(1960, 2000)}
        *_, statutory = second_pensions.ages(person)
        chosen = statutory + self._one(-37, -36, -35, -1, 0, 1, 36, 37, chance.randrange(-70, 50))
        months = self._one(179, 180, 185, 186, 239, 240, chance.randrange(400))
        return {**person, "chosen": named(chosen), "contribution_months": months}

    def disability_months(self) -> Plain:
        """Around years begun."""
        return {"contribution_months": self._chance.randrange(0, 300)}

    def avg_index(self) -> Plain:
        """Years that need not be whole."""
        chance = self._chance
        rows = [
            {
                "year": chance.randrange(1996, 2026),
                "monthly_base": self._yuan(30_000_00),
                "months": chance.randrange(13),
                "index_base_year": str(chance.randrange(5943, 99_048)),
            }
            for _ in range(chance.randrange(30))
        ]
        return {"rows": [*rows, {"year": 2025, "monthly_base": "5000", "months": 1, "index_base_year": "99048"}]}

    def employee_pension(self) -> Plain:
        """With and without the years before 1996, with and without the old amount."""
        chance = self._chance
        pension = {
            "base": self._one(*BASES, self._yuan(10_000_00)),
            "index": self._decimal(35_000, 4),
            "months": chance.randrange(600),
            "balance": self._yuan(500_000_00),
            "payout_months": second_pensions.payout(chance.randrange(40 * 12, 75 * 12)),
        }
        if self._perhaps():
            places = self._one(4, 6)
            pension |= {"trans_index": self._decimal(3 * 10**places, places), "pre1996_months": chance.randrange(300)}
        if self._perhaps():
            pension |= {
                "old_transitional": self._yuan(3_000_00),
                "blend_ratio": self._one("0.40", "0.70", "1.00", "0.4", "0.55", "0"),
            }
        return pension

    def recompute(self) -> Plain:
        """A base higher or lower than the first one."""
        facts = self.employee_pension()
        first = facts.pop("base")
        final = self._one(*BASES, self._yuan(10_000_00))
        return {**facts, "base_provisional": first, "base_final": final, "paid_months": self._chance.randrange(30)}

    def resume_backpay(self) -> Plain:
        """Certified before and after the suspension."""
        return {
            "monthly": self._yuan(10_000_00),
            "suspended_from": self._month(2024, 2027),
            "certified_on": str(self._day(2024, 2028)),
        }

    def overpayment(self) -> Plain:
        """Death before and after the last payment."""
        return {
            "monthly": self._yuan(10_000_00),
            "paid_through": self._month(2024, 2027),
            "death_date": str(self._day(2024, 2028)),
        }

    def id_check(self) -> Plain:
        """Right numbers and numbers wrong in each way."""
        chance, birth = self._chance, self._day(1860, 2028)
        number = self._one(*"1239") + self._signs(DIGITS, 5) + self._one(f"{birth:%Y%m%d}", self._shaped_birth())
        number += self._signs(DIGITS, 3)
        number += next(sign for sign in "X9876543210" if second_accounts.remainder(number + sign) == 1)
        if self._perhaps():
            at = chance.randrange(18)
            number = number[:at] + self._one(*DIGITS, *"xXA ") + number[at + 1 :]
        return {"number": self._one(number, number, number.lower(), number[:-1]), "as_of": "2026-01-01"}

    def uscc_check(self) -> Plain:
        """Right codes, also with a wrong organisation code inside, and wrong ones."""
        signs, chance = second_accounts.SIGNS, self._chance
        code = self._signs(signs, 16)
        code += self._one(second_accounts.organisation_sign(code[8:16]), self._one(*signs))
        code += next(sign for sign in signs if second_accounts.credit_remainder(code + sign) == 0)
        if self._perhaps():
            at = chance.randrange(18)
            code = code[:at] + self._one(*signs, *"IOSVZ*") + code[at + 1 :]
        return {"code": self._one(code, code, code, code[:-1])}

    def contribution(self) -> Plain:
        """Wages below, between and above the limits."""
        rates = {
            "pension_employer": self._one("0.16", "0.20", "0"),
            "work_injury": self._decimal(30_000, 5),
            "total": self._decimal(3000, 4),
        }
        wage = self._one("4952", "24762", self._yuan(50_000_00))
        return {"wage": wage, "floor": "4952", "ceiling": "24762", "rates": rates}

    def late_fee(self) -> Plain:
        """Paid late, on the day and before it."""
        due = self._day(2012, 2027)
        paid = due + timedelta(self._one(-1, 0, 1, self._chance.randrange(2000)))
        return {"amount": self._yuan(1_000_000_00), "due": str(due), "paid": str(paid)}

    def transfer(self) -> Plain:
        """Years before and after 1998."""
        chance = self._chance
        years = [
            {
                "year": chance.randrange(1994, 2026),
                "monthly_base": self._yuan(30_000_00),
                "months": chance.randrange(13),
            }
            for _ in range(chance.randrange(8))
        ]
        return {"account_balance": self._yuan(1_000_000_00), "years": years}

    def overlap(self) -> Plain:
        """Ranges that touch, repeat and reach over years."""
        chance, ranges = self._chance, []
        for _ in range(chance.randrange(4)):
            first = chance.randrange(2015 * 12, 2024 * 12)
            ranges.append([named(first), named(first + chance.randrange(40))])
        years = chance.sample(range(2014, 2027), chance.randrange(6))
        return {
            "employee_ranges": ranges,
            "resident_years": {year: self._one("1000", "500", self._yuan(3_000_00)) for year in years},
        }

    def account_year(self) -> Plain:
        """Any months, both methods."""
        year = {"opening": self._yuan(1_000_000_00), "rate": self._decimal(1000, 4), "monthly": self._credits(12)}
        return year | self._method()

    def account_years(self) -> Plain:
        """Years in a row, in any order."""
        chance, first = self._chance, self._chance.randrange(1996, 2020)
        years = [
            {
                "year": year,
                "rate": self._decimal(1000, 4),
                "monthly": self._yuan(3_000_00),
                "months": sorted(chance.sample(range(1, 13), chance.randrange(13))),
            }
            for year in range(first, first + chance.randrange(1, 8))
        ]
        chance.shuffle(years)
        return {"opening": self._yuan(1_000_000_00), "years": years} | self._method()

    def account_at_retirement(self) -> Plain:
        """Up to any month of the year."""
        last = self._chance.randrange(13)
        rate = self._decimal(1000, 4)
        return {"opening": self._yuan(1_000_000_00), "rate": rate, "k": last, "monthly": self._credits(last)}

    def _credits(self, last: int) -> dict[int, str]:
        return {month: self._yuan(3_000_00) for month in range(1, last + 1) if self._perhaps()}

    def _method(self) -> Plain:
        method: Plain = self._one({}, {"method": "annual_factor"}, {"method": "monthly_product"})
        return method

    def _one(self, *these: Any) -> Any:
        return self._chance.choice(these)

    def _perhaps(self) -> bool:
        return self._chance.random() < 0.5

    def _signs(self, alphabet: str, count: int) -> str:
        return "".join(self._chance.choices(alphabet, k=count))

    def _yuan(self, most: int) -> str:
        """An amount below so many fen, often a small one."""
        return text(self._one(0, 1, self._chance.randrange(100), *(self._chance.randrange(most) for _ in range(3))))

    def _decimal(self, below: int, places: int) -> str:
        value = self._chance.randrange(below)
        return f"{value // 10**places}.{value % 10**places:0{places}d}"

    def _month(self, first: int, last: int) -> str:
        return named(self._chance.randrange(first * 12, last * 12))

    def _day(self, first: int, last: int) -> date:
        start = date(first, 1, 1)
        return start + timedelta(self._chance.randrange((date(last, 1, 1) - start).days))

    def _shaped_birth(self) -> str:
        year, month, day = (self._chance.randrange(end) for end in (500, 14, 33))
        return f"{1700 + year}{month:02d}{day:02d}"
