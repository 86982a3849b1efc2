"""Whether a card may be used for something (电子社保卡可用性).

It follows the physical card: while that is lost, locked or cancelled, nothing is possible. Then the level decides:
level 1 opens identity, enquiries and services, level 2 also what moves money.
"""

from collections.abc import Collection

NORMAL = "normal"
LEVEL_ONE, LEVEL_TWO = 1, 2


def obstacle(physical: str, level: int, operation: str, level_two: Collection[str]) -> str:
    """The first reason against the use: PHYSICAL_<STATUS>, NEEDS_LEVEL_2; empty when there is none.

    Args:
        physical: Where the physical card stands, in small letters; "normal" is usable.
        level: Level of the electronic card.
        operation: What it is to be used for.
        level_two: What only level 2 opens.
    """
    if physical != NORMAL:
        return f"PHYSICAL_{physical.upper()}"
    if operation in level_two and level < LEVEL_TWO:
        return "NEEDS_LEVEL_2"
    return ""
