"""Work-injury cover that is bought for work, not for a person: construction projects and orders of platforms.

Sources: 人社部发〔2014〕103号 and 〔2018〕3号 (同舟计划); 人社部发〔2021〕110号 (职业伤害保障).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from kernel.calendar import Month
from kernel.dated import DatedValue
from kernel.errors import InvalidInput
from kernel.money import Money
from kernel.statement import Line, Statement


@dataclass(frozen=True, slots=True)
class ProjectTerms:
    """How a premium follows from a contract price: by a unified rate, or, where that is zero, by the share of wages."""

    labour_share: Decimal
    rate: Decimal
    unified_rate: Decimal


def project_premium(contract_price: Money, terms: DatedValue[ProjectTerms]) -> Statement:
    """The premium of a project, one line ``project``; rounded half-up to the fen once.

    Args:
        contract_price: Total contract price.
        terms: In force on the day on which work starts.
    """
    value = terms.value
    if value.unified_rate > 0:
        text, rate, shown = f"{value.unified_rate}", value.unified_rate, f"unified_rate {value.unified_rate}"
    else:
        text, rate = f"{value.labour_share} × {value.rate}", value.labour_share * value.rate
        shown = f"labour_share {value.labour_share}, rate {value.rate}"
    amount = contract_price.times(rate)
    use = terms.use(shown)
    return Statement(
        (
            Line(
                code="project",
                amount=amount,
                title_zh="工程建设项目工伤保险费",
                title_en="Work-injury premium of a construction project",
                formula=f"{contract_price} × {text} = {amount}",
                inputs=(("contract_price", str(contract_price)),),
                sources=use.sources,
                parameters=(use,),
                provisional=use.provisional,
            ),
        )
    )


def platform_premium(month: Month, branch: str, orders: int, fees: DatedValue[Mapping[str, Decimal]]) -> Statement:
    """The premium of a month's orders of one branch, one line ``orders``; the product is rounded, never the fee.

    Raises:
        InvalidInput: BRANCH_REQUIRED: the law names no fee for the branch.
    """
    fee = fees.value.get(branch)
    if fee is None:
        raise InvalidInput("BRANCH_REQUIRED", "no fee is known for this branch", field="branch")
    amount = Money.rounded(fee * orders)
    use = fees.use(f"{branch}: {fee}")
    return Statement(
        (
            Line(
                code="orders",
                amount=amount,
                title_zh=f"职业伤害保障费（{branch}）",
                title_en="Occupational-injury premium of orders",
                formula=f"{orders} × {fee} = {amount}",
                inputs=(("month", str(month)), ("branch", branch), ("orders", str(orders))),
                sources=use.sources,
                parameters=(use,),
                provisional=use.provisional,
            ),
        )
    )
