"""The test service: its contract is compiled when the tests are loaded, so nothing generated lies about."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.message_factory import GetMessageClass
from grpc_tools import protoc  # type: ignore[import-untyped]  # comes without stubs

import hrss.options.v1.options_pb2
import hrss.type.v1.calendar_pb2
import hrss.type.v1.fact_pb2  # noqa: F401 - the three files that the contract below imports

HERE = Path(__file__).resolve().parent
PROTO = HERE.parent.parent / "proto"
PACKAGE = "hrss.echo.v1"


def _compile() -> Any:
    pool = descriptor_pool.Default()
    with tempfile.NamedTemporaryFile(suffix=".binpb") as out:
        code = protoc.main(
            [
                "protoc",
                f"-I{HERE}",
                f"-I{PROTO}",
                f"-I{Path(protoc.__file__).parent / '_proto'}",
                f"--descriptor_set_out={out.name}",
                "echo.proto",
            ]
        )
        assert code == 0
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(out.name).read_bytes())
    pool.AddSerializedFile(files.file[0].SerializeToString())
    return pool.FindFileByName("echo.proto")


FILE = _compile()


class _Messages:
    """The classes of the contract by name: `pb.TakeNoteRequest`."""

    def __getattr__(self, name: str) -> Any:
        return GetMessageClass(FILE.message_types_by_name[name])

    def service(self, name: str) -> Any:
        """The descriptor of one of its services."""
        return FILE.services_by_name[name]


pb: Any = _Messages()
