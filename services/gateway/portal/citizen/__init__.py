"""The citizen's pages: start, items, own records, estimate, card, applications and messages."""
