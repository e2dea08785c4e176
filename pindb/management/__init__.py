"""Management commands of pindb: what they do is in modules of their own."""
