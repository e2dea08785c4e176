"""The project of `docs/guides/own-router.md`."""
