"""The only SQL of the card service: rows, queries, row to value and back."""
