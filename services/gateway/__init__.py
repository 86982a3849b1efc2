"""The gateway: the one door of the platform for browsers, counters and partner systems.

Turns HTTP/JSON into gRPC by the routes in the contract, says who is calling and signs it for the services, keeps the
limits, and puts every refusal into words that a person understands.

Owns: grants (which insured person stands behind a login), cases (办件), the test clock, uploaded files on their way to
a service. Answers itself: who the caller is, everything about cases, the test clock. Says what happens to cases; hears
nothing.
Deliberately does not: compute an amount, or keep a record of insurance (the services do).
"""
