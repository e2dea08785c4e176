"""The comparison, `python -m tests.compare`: pindb and what teams do without it, on the same servers and lags."""
