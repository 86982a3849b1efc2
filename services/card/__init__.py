"""Electronic cards (电子社保卡): issues them with the physical card, lets holders show them, verifies what is shown.

Owns holders (identity resealed under its own key), cards, PINs, what the physical-card feed announced, the codes that
were used, family accounts, devices and status lists. Says CardIssued, CardActivated, CardSuspended, CardResumed,
CardLocked, CardCancelled, DoubleUseDetected, StatusListPublished. Hears enrollment's kind person.
Never calls another service, never puts a name or number into a code, never changes a card but by one table of steps,
and never tells a verifier more than its purpose needs. Profile I alone (ES256, SHA-256, AES-256-GCM); keys lie in
files, which production takes only when told to.
"""
