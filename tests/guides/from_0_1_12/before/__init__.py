"""The settings and the recipe of 0.1.12, with today's pindb."""
