"""Histories, `python -m tests.histories`: a site that is being broken, and what its reads and writes prove."""
