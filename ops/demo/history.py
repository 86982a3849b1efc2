"""The file of years before that the story imports, in the format of docs/how-to/import-history.md."""
