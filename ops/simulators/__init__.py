"""Simulators of outside systems that cannot be reached from a development machine.

Each says that it is one in everything it answers, uses the public API like the real system's adapter would, and is
refused in production. Two work by themselves: the tax bureau (bills out, receipts in, refunds answered; by calls, or by
files in `tax_files`) and the paying bank (orders of benefits and subsidies out, results in). Two are played by whoever
knows what they know: the card centre (physical cards) and a body that assesses skills (certificates).
"""
