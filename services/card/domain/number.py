"""The issue number (签发号) of a card: 3206, scheme 1, 13 random digits, two check digits (ISO/IEC 7064 MOD 97-10).

It identifies a card and proves nothing, so it is random and says nothing of its holder.
"""

from unicodedata import normalize

PREFIX = "32061"  # Nantong, scheme 1
RANDOM_DIGITS = 13
DIGITS = len(PREFIX) + RANDOM_DIGITS + 2
_WRITTEN_MAX = 60  # 20 digits and whatever stands between them
_HYPHENS = "-‐‑‒–—―−"


def make(random: int) -> str:
    """The number with these random digits.

    Args:
        random: 0 to 10^13 - 1, drawn by the caller.
    """
    if not 0 <= random < 10**RANDOM_DIGITS:
        raise ValueError("the random part has 13 digits")
    body = f"{PREFIX}{random:0{RANDOM_DIGITS}d}"
    return body + check_digits(body)


def check_digits(body: str) -> str:
    """The two digits that make the whole 1 modulo 97."""
    return f"{98 - int(body) * 100 % 97:02d}"


def read(text: str) -> str:
    """The number that was meant: blanks and hyphens left out, full-width digits as ASCII; empty when it is none.

    Args:
        text: As typed or read; only length and check digits are looked at.
    """
    if len(text) > _WRITTEN_MAX:
        return ""
    plain = "".join(c for c in normalize("NFKC", text) if not c.isspace() and c not in _HYPHENS)
    is_number = len(plain) == DIGITS and plain.isascii() and plain.isdigit() and plain.startswith(PREFIX)
    return plain if is_number and int(plain) % 97 == 1 else ""
