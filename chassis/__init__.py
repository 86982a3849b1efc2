"""How a service runs: settings, logs, traces, database, events, jobs, calls. Knows nothing of insurance.

Read `service.py` for what a process is made of and in which order it starts and ends, `rpc.py` for what happens to a
call, `transaction.py` for what commits together.
"""
