"""The project of `docs/guides/workers-on-master.md`."""
