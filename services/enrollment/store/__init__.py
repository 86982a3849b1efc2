"""The only SQL of enrollment: rows, queries, row to value and back; one file per area."""
