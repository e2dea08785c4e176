"""With pindb, on the queue that was chosen first."""
