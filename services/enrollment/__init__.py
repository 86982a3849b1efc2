"""Enrolment: the register of the insured and the money that comes in (参保与缴费).

Owns persons, employers, employments and participations, declared wages, bills and receipts, contribution months,
personal accounts with their interest, and imported history. Says PersonRegistered, PersonChanged, PersonDied,
PersonsMerged, PersonsUnmerged, EmployerRegistered, EmployerChanged, EmployerDeregistered, ParticipationStarted, ParticipationEnded, ContributionsSettled, AccountCredited and AccountSettled. Hears benefits: a
pension that starts ends participations. Deliberately does not decide benefits, does not collect money (the tax bureau
does), and tells nobody a name or number.
"""
