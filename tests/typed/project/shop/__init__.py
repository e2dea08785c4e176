"""A shop, as a user of pindb types it."""
