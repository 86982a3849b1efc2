"""The law of benefits as pure calculation: when people retire, what pension they get, what the unemployed get.

Nothing here reads a clock, a file or a row: parameters of law come in as dated values, results go out as statements.
"""
