"""The use cases of cases, each in one transaction."""
