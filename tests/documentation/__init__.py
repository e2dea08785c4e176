"""The documentation holds: its code, its commands, its site."""
