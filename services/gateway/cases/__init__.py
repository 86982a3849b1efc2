"""Cases (办件): what people and employers apply for, from the form to what came of it.

Owns: case files with their events, steps and messages; the counters of case numbers. Says CaseSubmitted, CaseAccepted,
CaseDecided and CaseClosed. The work itself is done by the services: each item declares which RPCs its phases call, and
a worker calls them, once for each step whatever dies in between.
Deliberately does not: compute an amount, decide a right, or keep more of a form than its steps still need.
"""
