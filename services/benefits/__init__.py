"""Benefits (待遇): estimates, determines and pays what the insured receive, and explains every amount.

Owns determinations with their calculations, benefits, payees (sealed), payrolls, payments and the ledger of what was
paid; keeps what it heard of persons, participations, contributions and accounts as its own rows.
Says BenefitStarted, BenefitEnded, PaymentConfirmed, PaymentReturned. Hears enrollment's kinds person, participation,
contributions and account.
Never calls another service, never collects money, never knows a name or an identity number except the payee's name,
and never changes what was determined: a new fact ends a benefit or makes a new determination.
"""
