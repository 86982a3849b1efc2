"""Training subsidies (培训补贴): records certificates of skills, assesses and decides claims, has subsidies paid.

Owns certificates (numbers sealed), claims with their calculations, payees (sealed), payment orders and the ledger of
what was paid; keeps what it heard of persons, insured months, employments and unemployment benefits as its own rows.
Says CertificateRecorded, ClaimSubmitted, ClaimApproved, ClaimRejected, SubsidyPaid. Hears enrollment's kinds person,
participation and contributions, and benefits' kind benefit.
Never calls another service, never decides without a second person, never knows an identity number or a name except the
payee's, and never pays a certificate twice.
"""
