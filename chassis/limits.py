"""What both ends of a call agree on: names of metadata and sizes."""

MESSAGE_MAX = 4 * 1024 * 1024  # bytes; bodies at the edge are 1 MiB, files go by upload id
METADATA_MAX = 8 * 1024  # bytes; the assertion is the largest part
LEAST_SECONDS = 0.05  # a call with less time left would be answered to nobody

REPLAYED_KEY = "hrss-replayed"
MIN_VERSION_KEY = "hrss-min-version"
