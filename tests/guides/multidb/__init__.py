"""The project of `docs/guides/multidb.md`."""
