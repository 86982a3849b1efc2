"""The pages of those who run the platform (运维) and of those who decide cases (经办、复核).

They are pages of the portal like any other: the public API is all they call, with the login of whoever looks, and its
access rules are the only ones. Templates and texts lie with the portal's, under `console` and `desk`.

Owns no data. Deliberately does not: read another service's database, or run what changes machines (`hrss` does that).
"""
