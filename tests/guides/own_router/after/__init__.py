"""With pindb."""
