"""The project of `docs/guides/from-0.1.12.md`."""
