# ruff: noqa: INP001 - proto/ holds the contract and two scripts, no package
"""Generate Python code and typed stubs from the contract: proto/ → gen/ (never committed).

Run as `python proto/generate.py [--force]`; does nothing when no input changed since the last run. The code generator
is the one inside grpcio-tools and the stubs come from mypy-protobuf, so wheels are all that is needed. Besides the
modules it writes `gen/hrss/descriptors.binpb`, the descriptor set with comments from which the gateway, the documents
and the contract tests are made.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from importlib import resources
from pathlib import Path

PROTO = Path(__file__).resolve().parent
OUT = PROTO.parent / "gen"
STAMP = OUT / ".inputs.sha256"


def inputs() -> list[Path]:
    """Every file of our own contract, sorted."""
    return sorted((PROTO / "hrss").rglob("*.proto"))


def digest() -> str:
    """Hash of all that decides the output."""
    total = hashlib.sha256(Path(__file__).read_bytes())
    for path in inputs():
        total.update(path.relative_to(PROTO).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def generate(*, force: bool = False) -> bool:
    """Bring gen/ up to date; returns whether anything was written."""
    now = digest()
    if not force and STAMP.exists() and STAMP.read_text() == now:
        return False
    # Loaded only when something changed; the package carries no types.
    from grpc_tools import protoc  # type: ignore[import-untyped]  # noqa: PLC0415 - see above

    building = OUT.with_name("gen.building")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir()
    bin_dir = Path(sys.executable).parent
    code = protoc.main(
        [
            "protoc",
            f"-I{PROTO}",
            f"-I{PROTO / 'third_party'}",
            f"-I{resources.files('grpc_tools') / '_proto'}",
            f"--plugin=protoc-gen-mypy={bin_dir / 'protoc-gen-mypy'}",
            f"--python_out={building}",
            f"--mypy_out={building}",
            f"--descriptor_set_out={building / 'descriptors.binpb'}",
            "--include_imports",
            "--include_source_info",
            *(str(path.relative_to(PROTO)) for path in inputs()),
        ]
    )
    if code:
        raise SystemExit(f"protoc failed with exit code {code}")
    for folder in sorted({path.parent for path in (building / "hrss").rglob("*.py")} | {building / "hrss"}):
        (folder / "__init__.py").touch()
        (folder / "py.typed").touch()
    (building / "descriptors.binpb").rename(building / "hrss" / "descriptors.binpb")
    (building / STAMP.name).write_text(now)
    shutil.rmtree(OUT, ignore_errors=True)
    building.rename(OUT)
    return True


if __name__ == "__main__":
    sys.stdout.write("gen/ written\n" if generate(force="--force" in sys.argv) else "gen/ is up to date\n")
