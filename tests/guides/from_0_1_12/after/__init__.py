"""With today's settings."""
