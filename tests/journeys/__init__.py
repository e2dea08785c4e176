"""The journeys, `python -m tests.journeys`: browsers on the shop, and how many of their reads go to replicas."""
