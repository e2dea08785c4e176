"""A project as a user has one: its tests run in a pytest of their own."""
