"""What a case is, without a database: its states, its number, its clock."""
