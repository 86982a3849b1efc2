"""The law of enrolment as pure calculation: contributions, the personal account, arrears, transfers, overlaps.

Nothing here reads a clock, a file or a row: parameters of law come in as dated values, results go out as statements.
"""
