"""The projects of `docs/guides/adopting-without-the-source.md`."""
