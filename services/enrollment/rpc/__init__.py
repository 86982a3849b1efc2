"""The edges of enrolment: one file for each service of the contract, three lines a method."""
