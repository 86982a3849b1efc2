"""The edges of benefits: one file for each service of the contract, three lines a method."""
