"""Which release of the platform runs: written here, since a container runs the sources without a package's metadata."""

VERSION = "0.1.0"


def version() -> str:
    """Version of the release that runs; a test holds it equal to that of the distribution."""
    return VERSION
