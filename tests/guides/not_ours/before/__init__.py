"""Their settings with a replica and a plain router."""
