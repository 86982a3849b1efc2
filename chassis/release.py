"""Which release of the platform runs."""

import functools
import importlib.metadata


@functools.cache
def version() -> str:
    """Version of the release that runs."""
    return importlib.metadata.version("hrss")
