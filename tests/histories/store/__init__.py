"""A Django app that does what its clients' plans say, and records each read and write: on top of the shop's project."""
