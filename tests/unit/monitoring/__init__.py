"""Tests of what pindb tells about its work."""
