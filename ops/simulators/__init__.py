"""Simulators of outside systems that cannot be reached from a development machine.

Each says that it is one in everything it answers, uses the public API like the real system's adapter would, and is
refused in production. Today: the tax bureau (bills out, receipts in) and the paying bank (orders out, results in).
"""
