"""The law of benefits as pure calculation, one file for each scheme.

Who gets what, how much, from when: retirement, the three pensions and their yearly adjustment, unemployment, work
injury, survivors, disability, certification, back pay and recovery. ``population`` does pensions and adjustments of
many people at once, equal to one by one on every fen. Nothing here reads a clock, a file or a row: parameters of law
come in as dated values, results go out as statements.
"""
