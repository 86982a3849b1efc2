"""A city to try the platform with: `people` draws it, `rows` writes it, `main` is the command."""
