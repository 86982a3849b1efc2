"""The use cases of enrolment, one file per area: load, decide, save, say, in one transaction each."""
