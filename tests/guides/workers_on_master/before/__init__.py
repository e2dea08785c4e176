"""All workers read the master."""
