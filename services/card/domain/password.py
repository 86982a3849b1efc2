"""The PIN of the card (电子社保卡密码): which ones are too weak.

Six digits; not one digit repeated, not a run up or down by one, not taken from the identity number. A run does not go
round from 9 to 0. Where the caller says a telephone number, not taken from that either.
"""

import re
from itertools import pairwise
from unicodedata import normalize as normalise

from kernel.identity import normalise_resident_id

_DIGITS = re.compile(r"[0-9]+", re.ASCII)


def weakness(pin: str, id_no: str, length: int, phone: str = "") -> str:
    """The first reason against a PIN: FORMAT, REPEATED, CONSECUTIVE, FROM_ID, FROM_PHONE; empty when it is good.

    Args:
        pin: As typed.
        id_no: The holder's identity number; empty when there is none to compare with.
        length: How many digits a PIN has.
        phone: The holder's telephone number; empty when there is none to compare with.
    """
    if len(pin) != length or not _DIGITS.fullmatch(pin):
        return "FORMAT"
    steps = {int(right) - int(left) for left, right in pairwise(pin)}
    if steps == {0}:
        return "REPEATED"
    if steps in ({1}, {-1}):
        return "CONSECUTIVE"
    if pin in normalise_resident_id(id_no):
        return "FROM_ID"
    if pin in "".join(_DIGITS.findall(normalise("NFKC", phone))):
        return "FROM_PHONE"
    return ""
