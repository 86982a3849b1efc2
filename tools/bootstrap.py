"""Make `.venv` ready to work: `python3 tools/bootstrap.py`. Needs Python 3.11 and a package registry, nothing else.

Standard library only, and every make target runs it first: where nothing changed since the last time it is done in a
fraction of a second. It makes the virtual environment, installs uv from a line pinned by hash, and through uv (or pip,
where uv does not run) exactly the locked requirements; then the project itself, editable, and the generated code.

`--lock` compiles `requirements/*.in` into the locked files instead.
"""

# ruff: noqa: S603, S606 - a script, not a package; it runs programs that it names itself
from __future__ import annotations  # lets an older Python read this file far enough to say that it is too old

import ast
import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PYTHON_MIN = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "bootstrap.sha256"
LOCKED = ("runtime", "embedded", "development")
REQUIREMENTS = ROOT / "requirements"
# What pip was told about its registry, and how uv calls the same.
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "cert": "SSL_CERT_FILE",
    "no-index": "UV_NO_INDEX",
}
LOCAL_SOURCES = ("UV_INDEX", "UV_FIND_LINKS", "UV_NO_INDEX")


def main() -> int:
    """Bring the virtual environment up to date, or say in one line why that is not possible."""
    if sys.version_info < PYTHON_MIN:
        return use_another_python()
    with locked():
        try:
            if "--lock" in sys.argv:
                return lock()
            install()
            run([str(PYTHON), str(ROOT / "proto" / "generate.py")], quiet=True)
        except subprocess.CalledProcessError as error:
            return complain(
                f"{Path(error.cmd[0]).name} failed with exit code {error.returncode}; its words stand above"
            )
    return 0


def install() -> None:
    """Virtual environment, locked requirements and the project, unless they are there already."""
    wanted = inputs_digest()
    if STAMP.exists() and STAMP.read_text() == wanted and PYTHON.exists():
        return
    started = time.monotonic()
    say("1/3", f"virtual environment .venv (Python {sys.version_info[0]}.{sys.version_info[1]})")
    make_environment()
    say("2/3", "locked requirements, checked by hash")
    install_locked()
    say("3/3", "the project itself")
    # Without build isolation: what builds is locked as well. pip does it, for uv would resolve the build requirements.
    pip("install", "--no-build-isolation", "--no-deps", "--editable", str(ROOT))
    STAMP.write_text(wanted)
    say("done", f"{time.monotonic() - started:.0f} s")


def make_environment() -> None:
    """A fresh virtual environment, unless the one that is there works."""
    works = (
        PYTHON.exists()
        and subprocess.run([str(PYTHON), "-c", "import pip"], capture_output=True, check=False).returncode == 0
    )
    if not works:
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, with_pip=True, symlinks=True)


def install_locked() -> None:
    """Install the locked requirements through uv, or through pip where uv does not run."""
    files = [part for name in LOCKED for part in ("-r", str(REQUIREMENTS / f"{name}.txt"))]
    try:
        pip("install", "--require-hashes", "-r", str(REQUIREMENTS / "bootstrap.txt"))
        # Hashes are pinned, so the registry that has the file does not matter: take it from any.
        options = ["--python", str(PYTHON), "--require-hashes", "--index-strategy", "unsafe-best-match"]
        # Costs five seconds once; else every process would compile for itself where Python may not keep bytecode.
        options += ["--compile-bytecode"]
        options += [] if sys.stderr.isatty() else ["--quiet"]
        run([str(VENV / "bin" / "uv"), "pip", "install", *options, *files], env=uv_environment())
    except (subprocess.CalledProcessError, OSError):
        say("2/3", "uv does not run here; installing with pip")
        pip("install", "--require-hashes", *files)


def lock() -> int:
    """Compile every `requirements/*.in` into its locked file, for all platforms, without recording addresses.

    Only the registry is asked: what lies in a local directory beside it may be built for this machine alone.
    """
    environment = {name: value for name, value in uv_environment().items() if name not in LOCAL_SOURCES}
    for name in ("bootstrap", *LOCKED, "contract"):
        say("lock", f"requirements/{name}.txt")
        options = ["--universal", "--generate-hashes", "--no-header", "--upgrade", "--quiet"]
        options += ["--index-strategy", "unsafe-best-match", "--python-version", ".".join(map(str, PYTHON_MIN))]
        argv = [str(VENV / "bin" / "uv"), "pip", "compile", *options, f"{name}.in", "-o", f"{name}.txt"]
        run(argv, env=environment, cwd=REQUIREMENTS)
    return 0


def uv_environment() -> dict[str, str]:
    """The environment for uv: it does not read pip's configuration, so the registry is handed over."""
    environment = dict(os.environ)
    for name in ("UV_PYTHON", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"):
        environment.pop(name, None)
    listed = subprocess.run([str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
    for line in listed.stdout.splitlines():
        key, _, value = line.partition("=")
        variable = PIP_TO_UV.get(key.rpartition(".")[2])
        if variable:
            with contextlib.suppress(ValueError, SyntaxError):
                environment.setdefault(variable, " ".join(str(ast.literal_eval(value)).split()))
    if "UV_FIND_LINKS" in environment:
        environment["UV_FIND_LINKS"] = environment["UV_FIND_LINKS"].replace(" ", ",")
    return environment


def inputs_digest() -> str:
    """Hash of all that decides the environment; also of where it stands, for its scripts hold absolute paths."""
    files = [REQUIREMENTS / f"{name}.txt" for name in ("bootstrap", *LOCKED)]
    files += [ROOT / "pyproject.toml", ROOT / "proto" / "build.py", REQUIREMENTS / "runtime.in", Path(__file__)]
    total = hashlib.sha256(f"{ROOT}\0{sys.version_info[:2]}".encode())
    for path in files:
        total.update(path.read_bytes() + b"\0")
    return total.hexdigest()


def use_another_python() -> int:
    """Go on with a newer Python of this machine, if there is one."""
    for minor in range(19, PYTHON_MIN[1] - 1, -1):
        found = shutil.which(f"python3.{minor}")
        if found:
            os.execv(found, [found, *sys.argv])
    return complain(
        "需要 Python 3.11 或更高版本，可用 make PYTHON=路径 指定 / "
        "Python 3.11 or later is needed: make PYTHON=/path/to/python3.11"
    )


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Two bootstraps of one checkout wait for each other."""
    descriptor = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def pip(*arguments: str) -> None:
    """Run the environment's own pip, quietly."""
    run([str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "--quiet", *arguments])


def run(
    argv: Sequence[str], *, quiet: bool = False, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> None:
    """Run a command; raises CalledProcessError when it fails."""
    output = subprocess.DEVNULL if quiet else None
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL, stdout=output, env=env, cwd=cwd)


def say(step: str, text: str) -> None:
    """Print a line of progress."""
    sys.stdout.write(f"[bootstrap {step}] {text}\n")
    sys.stdout.flush()


def complain(text: str) -> int:
    """Print a line about what is wrong; returns the exit code."""
    sys.stderr.write(f"[bootstrap] {text}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
