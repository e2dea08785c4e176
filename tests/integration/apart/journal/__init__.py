"""An app in `PINDB_SEPARATE_PINS`."""
