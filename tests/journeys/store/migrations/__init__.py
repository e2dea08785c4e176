"""The store's tables."""

TAKEN = "taken"
"""A user's name, and a reference of an order, that somebody else has from the start."""
