"""Django's request cycle."""
