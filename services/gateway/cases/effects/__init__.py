"""What each item does: which calls to which services in which phase, and what to keep of their answers."""
