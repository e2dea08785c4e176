"""The application that the projects share: one table, views that write and read it, and tasks."""
