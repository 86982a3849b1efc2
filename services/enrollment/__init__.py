"""Enrolment: the register of the insured and the money that comes in (参保与缴费).

Owns persons and employers through time, employments and participations, declared wages, bills and receipts,
contribution months, personal accounts with their interest, and imported history. Says what happens to persons
(registered, changed, died, merged), employers, participations, contributions and accounts (`enrollment_events.proto`).
Hears benefits: a pension that starts ends participations. Deliberately does not decide benefits, does not collect money
(the tax bureau does), and tells nobody a name or number.
"""
