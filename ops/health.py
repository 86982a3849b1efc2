"""`python -I -S ops/health.py URL`: whether a process answers 200 at an address; the health check of the containers.

Standard library only and nothing of ours, because it starts every few seconds: 30 ms instead of half a second.
"""

import http.client
import sys
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 2


def is_well(url: str) -> bool:
    """Whether the address answers 200 in time."""
    asked = urlsplit(url)
    connection = http.client.HTTPConnection(asked.hostname or "127.0.0.1", asked.port, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", asked.path)
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(0 if is_well(sys.argv[1]) else 1)
