"""Which statements write, and the pins that they make."""
