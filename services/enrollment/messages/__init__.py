"""Between the contract and the values of enrolment: requests in, replies and facts out. Parsing happens only here."""
