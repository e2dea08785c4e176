"""With the router of pindb, and what multidb has left behind."""
