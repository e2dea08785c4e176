"""Histories, `python -m tests.histories`: a site under load and failures, and what its recorded reads and writes prove."""
