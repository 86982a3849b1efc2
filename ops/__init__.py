"""What starts and shows the platform: command line, embedded servers, supervisor, simulators, local traces.

Nothing here decides about insurance. Services are started as processes (`python -m services.<name>`), never imported.
"""
