"""The only place where things happen: one function per use case, each inside one transaction."""
