"""PostgreSQL and nats-server from their wheels, as children of one parent: for `hrss up` and the tests."""
