"""`python -m hrss_verifier vectors.json`: check this machine against the vectors; exit code 1 when one comes out wrong.

`python -m hrss_verifier verify --root ES256:<hex> --trust FILE --status FILE TEXT`: verify one code.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
import time
from pathlib import Path

from .verifier import Refused, Verifier


def main(arguments: list[str]) -> int:
    """Run a command."""
    if arguments[:1] != ["verify"]:
        return check(Path(arguments[0] if arguments else Path(__file__).parent.parent / "vectors.json"))
    parser = argparse.ArgumentParser(prog="hrss_verifier")
    parser.add_argument("verify")
    parser.add_argument("--root", required=True)
    parser.add_argument("--trust", type=Path, required=True)
    parser.add_argument("--status", type=Path, action="append", default=[])
    parser.add_argument("--audience", default="")
    parser.add_argument("--now", type=int, default=int(time.time()))
    parser.add_argument("text")
    given = parser.parse_args(arguments)
    name, _, point = given.root.partition(":")
    verifier = Verifier([(name, bytes.fromhex(point))])
    try:
        verifier.load_trust_list(given.trust.read_bytes(), given.now)
        for path in given.status:
            verifier.load_status_list(path.read_bytes(), given.now)
    except Refused as refused:
        sys.stderr.write(f"list refused: {refused.code}\n")
        return 2
    result = verifier.verify(given.text, given.now, bytes.fromhex(given.audience))
    sys.stdout.write(f"{result.group} {result.code} {result.name_masked} {result.last4} level {result.level}\n")
    return 0 if result.code == "ok" else 1


def check(path: Path) -> int:
    """Run the vectors of a file."""
    failed = 0
    for number, vector in enumerate(json.loads(path.read_text(encoding="utf-8"))):
        verifier = Verifier([(vector["root"]["alg"], bytes.fromhex(vector["root"]["point"]))])
        for step, one in enumerate(vector["steps"]):
            got = _step(verifier, one)
            if got != one["expect"]:
                failed += 1
                sys.stderr.write(f"vector {number} step {step} ({one['what']}): {got}, not {one['expect']}\n")
    sys.stdout.write(f"{'FAILED' if failed else 'ok'}\n")
    return 1 if failed else 0


def _step(verifier: Verifier, one: dict[str, str]) -> str:
    now = int(one["now"])
    if one["what"] == "verify":
        return verifier.verify(one["text"], now, bytes.fromhex(one.get("audience", ""))).code
    load = {
        "trust": verifier.load_trust_list,
        "status": verifier.load_status_list,
        "changes": verifier.apply_changes,
    }[one["what"]]
    try:
        load(base64.b64decode(one["data"]), now)
    except Refused as refused:
        return refused.code
    return "ok"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
