"""What is said to each kind of server, one file a vendor."""
