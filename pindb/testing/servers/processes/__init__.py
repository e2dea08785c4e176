"""Processes and directories that do not outlive the tests, however these end."""
