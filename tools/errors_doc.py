"""Write docs/errors.md from the catalogue of problems and the contract.

python tools/errors_doc.py            # write
python tools/errors_doc.py --check    # exit 1 when the file is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path[:0] = [str(ROOT), str(ROOT / "gen")]

from services.gateway.edge.catalogue import LANGUAGES, load  # noqa: E402 - the path is set up first
from services.gateway.edge.contract import routes  # noqa: E402 - the same

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.gateway.edge.catalogue import Problem

TARGET = ROOT / "docs" / "errors.md"
HEAD = """\
# 问题说明 / Errors

Made by `python tools/errors_doc.py` from `services/gateway/i18n/problems.yaml` and the contract; do not edit.

Every refusal is `application/problem+json` (RFC 9457) with one of these codes, in Chinese or English by
`Accept-Language`. The code never changes with the language. *Retry*: the same call, with the same Idempotency-Key, may
succeed later; `Retry-After` says when.
"""


def document() -> str:
    """The whole page."""
    used: dict[str, list[str]] = {}
    for route in routes():
        for reason in route.problems:
            used.setdefault(reason, []).append(route.descriptor.name)
    entries = sorted(load().problems.values(), key=lambda one: one.code)
    return "\n".join([HEAD, *("\n".join(_entry(problem, used.get(problem.code, []))) for problem in entries)])


def _entry(problem: Problem, names: list[str]) -> Iterator[str]:
    retry = ", retry" if problem.retryable else ""
    yield f"## {problem.code}"
    yield ""
    yield f"HTTP {problem.status}, gRPC {problem.grpc}{retry}"
    yield ""
    for language in LANGUAGES:
        text = problem.texts[language]
        exact = f" ({text.exact})" if text.exact else ""
        yield f"- **{text.title}**{'：' if language == 'zh' else ': '}{text.detail}{exact} {text.hint}"
    for name, cause in problem.causes.items():
        yield f"- `{name}`：{cause['zh'].detail}{cause['zh'].hint} / {cause['en'].detail} {cause['en'].hint}"
    if names:
        yield f"- {', '.join(names)}"
    yield ""


def main() -> int:
    """Write or check the page; returns the exit code."""
    made = document()
    if "--check" in sys.argv:
        if TARGET.exists() and TARGET.read_text("utf-8") == made:
            return 0
        sys.stderr.write("docs/errors.md is old: run python tools/errors_doc.py\n")
        return 1
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(made, "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
