"""The gateway: the one door of the platform for browsers, counters and partner systems.

Turns HTTP/JSON into gRPC by the routes in the contract, says who is calling and signs it for the services, keeps the
limits, and puts every refusal into words that a person understands.

Owns: grants (which insured person stands behind a login), the test clock, uploaded files on their way to a service.
Answers itself: who the caller is, the test clock. Says no events yet and hears none.
Deliberately does not: compute an amount, keep a record of insurance, or store replies (the services do).
"""
