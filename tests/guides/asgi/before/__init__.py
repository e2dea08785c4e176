"""pindb is set up as for WSGI, and nothing else."""
