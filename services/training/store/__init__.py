"""The only SQL of training: rows, queries, row to value and back."""
