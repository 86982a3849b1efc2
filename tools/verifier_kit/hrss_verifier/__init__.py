"""Checks the codes of electronic social-security cards (电子社保卡) without a network; the standard library is enough.

    verifier = Verifier(roots=[("ES256", root_point)])
    verifier.load_trust_list(trust_list, now)
    verifier.load_status_list(cwt, now)
    result = verifier.verify(text, now)
    if result.code == "ok": ...

Lift this folder out as it is: it imports nothing but the standard library and itself.
"""

from .verifier import GROUPS, Refused, Result, Verifier

__all__ = ["GROUPS", "Refused", "Result", "Verifier"]
