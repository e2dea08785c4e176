"""Where a query goes, and why."""
