"""What pindb tells about its work: summaries, metrics, the report of shadow mode, the panel of the debug toolbar."""
