"""The law of training subsidies as pure calculation: who gets one for a certificate, and how much.

Nothing here reads a clock, a file or a row: parameters of law come in as dated values, results go out as assessments
and statements.
"""
