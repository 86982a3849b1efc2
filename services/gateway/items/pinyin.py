"""Initials of Chinese text ("ylbx" finds 养老保险), without a dictionary.

GB 2312 sorts its 3,755 common characters by their pinyin, so that the code of a character says its first letter. Rarer
characters have none and are left out; characters with several readings have the one they are sorted by.
"""

from __future__ import annotations

from bisect import bisect_right

# The first character code of each initial in GB 2312 level 1; I, U and V begin no syllable.
_STARTS = (
    (0xB0A1, "a"), (0xB0C5, "b"), (0xB2C1, "c"), (0xB4EE, "d"), (0xB6EA, "e"), (0xB7A2, "f"),
    (0xB8C1, "g"), (0xB9FE, "h"), (0xBBF7, "j"), (0xBFA6, "k"), (0xC0AC, "l"), (0xC2E8, "m"),
    (0xC4C3, "n"), (0xC5B6, "o"), (0xC5BE, "p"), (0xC6DA, "q"), (0xC8BB, "r"), (0xC8F6, "s"),
    (0xCBFA, "t"), (0xCDDA, "w"), (0xCEF4, "x"), (0xD1B9, "y"), (0xD4D1, "z"), (0xD7FA, ""),
)  # fmt: skip
_CODES = tuple(code for code, _ in _STARTS)


def initials(text: str) -> str:
    """The initials of a text in lower case; letters and digits stay, everything else is left out."""
    return "".join(_initial(character) for character in text)


def _initial(character: str) -> str:
    if character.isascii():
        return character.lower() if character.isalnum() else ""
    try:
        code = int.from_bytes(character.encode("gb2312"))
    except UnicodeEncodeError:
        return ""
    place = bisect_right(_CODES, code)
    return _STARTS[place - 1][1] if place else ""
