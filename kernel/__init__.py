"""Values everybody means the same by: money, months, dated law, identities, errors, statements.

Standard library only. Nothing here knows a service, a database, a wire or a clock.
"""
