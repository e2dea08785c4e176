"""What pindb tells about its work: summaries, metrics, a report, a panel. Nothing here decides anything."""
