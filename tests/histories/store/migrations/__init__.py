"""How many rows the tables have."""

ROWS = 200
