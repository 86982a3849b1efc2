"""`hrss bench`: how fast the platform is, always beside a peer or a limit in the same run, never as a number alone.

A benchmark is a function of the ground (a platform of its own) that yields rows. Nothing here is a test: a machine
that is busy with something else makes rows that are not met, and the table says how busy it was.
"""
