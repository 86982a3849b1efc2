"""The only SQL of benefits: rows, queries, row to value and back."""
