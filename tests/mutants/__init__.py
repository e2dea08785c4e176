"""`make mutants`: changes one line of pindb at a time, in a copy, and runs the test that has to fail then."""
