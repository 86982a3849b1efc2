"""The local trace store: an OTLP receiver with a bounded memory and a page, for development machines.

It takes spans from every process of an embedded platform and shows them as a list and as a tree, also as JSON, so that
the demo and the tests can read one request's way from the gateway to PostgreSQL and through NATS. It is labelled local
wherever it shows itself. A production platform sends the same spans to its own collector (`HRSS_OTLP_ENDPOINT`).
"""
