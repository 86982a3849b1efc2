"""Every check of code and contract: `make check`. All of them run, also after one failed; the exit code is 1 then.

`python tools/check.py ruff mypy` runs only those named.
"""

# ruff: noqa: S603 - a script, not a package; it runs programs that it names itself
from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = ROOT / ".venv" / "bin"
CODE = [name for name in ("kernel", "chassis", "services", "ops", "proto", "tools", "tests") if (ROOT / name).is_dir()]


def main() -> int:
    """Run the checks."""
    checks = {
        "ruff": [[str(BIN / "ruff"), "check", "--quiet", "."]],
        "format": [[str(BIN / "ruff"), "format", "--check", "--quiet", "."]],
        "mypy": [[str(BIN / "mypy"), *CODE]],
        "imports": [[str(BIN / "lint-imports"), "--no-cache"]],
        "contract": [
            [str(BIN / "buf"), "lint"],
            [str(BIN / "buf"), "format", "--diff", "--exit-code"],
            *breaking(),
        ],
        "documents": [[sys.executable, str(path), "--check"] for path in generators()],
    }
    wanted = sys.argv[1:] or list(checks)
    if unknown := [name for name in wanted if name not in checks]:
        sys.stderr.write(f"no such check: {', '.join(unknown)}; there are: {', '.join(checks)}\n")
        return 2
    failed = [name for name in wanted if not passes(name, checks[name])]
    sys.stdout.write(f"{'FAILED: ' + ', '.join(failed) if failed else 'all checks passed'}\n")
    return 1 if failed else 0


def passes(name: str, commands: list[list[str]]) -> bool:
    """Run the commands of a check; prints its name, its time and whatever they say."""
    started = time.monotonic()
    results = [subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False) for argv in commands]
    is_good = all(result.returncode == 0 for result in results)
    sys.stdout.write(f"{'ok  ' if is_good else 'FAIL'} {name} ({time.monotonic() - started:.1f} s)\n")
    for result in results:
        if result.returncode:
            sys.stdout.write(result.stdout + result.stderr)
    sys.stdout.flush()
    return is_good


def breaking() -> list[list[str]]:
    """Compare the contract with the last release; before the first one, with the commit before."""
    for name in (["describe", "--tags", "--abbrev=0", "--match", "v*"], ["rev-parse", "--verify", "--quiet", "HEAD^"]):
        found = subprocess.run(["git", *name], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607 - git is found by PATH
        base = found.stdout.strip()
        if found.returncode == 0 and _has_contract(base):
            return [[str(BIN / "buf"), "breaking", "--against", f".git#ref={base}"]]
    sys.stdout.write("skip contract: nothing older to compare with\n")
    return []


def generators() -> list[Path]:
    """Programs that write documents from the sources and, with --check, only compare."""
    return sorted((ROOT / "tools").glob("*_doc.py"))


def _has_contract(commit: str) -> bool:
    tree = subprocess.run(
        ["git", "cat-file", "-e", f"{commit}:proto/hrss"],  # noqa: S607 - git is found by PATH
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    return tree.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
