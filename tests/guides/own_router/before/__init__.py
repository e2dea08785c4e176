"""With routers of its own."""
