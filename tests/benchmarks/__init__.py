"""Benchmarks: they measure and print, nothing in the test suite times anything."""
