"""Each message is a unit of work, and threads belong to the request."""
