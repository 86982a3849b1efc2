"""Protobuf to values and back. Parsing happens here and only here."""
