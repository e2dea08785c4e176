"""The kit for task queues."""
