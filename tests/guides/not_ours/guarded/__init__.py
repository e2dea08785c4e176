"""The same application, with a watch on tasks that are published before the write."""
