"""An app whose table is in another database."""
