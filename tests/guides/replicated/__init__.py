"""The project of `docs/guides/replicated.md`."""
