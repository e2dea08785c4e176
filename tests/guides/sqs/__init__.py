"""The project of `docs/guides/sqs.md`."""
