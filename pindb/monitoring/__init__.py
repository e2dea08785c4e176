"""Listeners: they record what pindb decides, and show it. They decide nothing themselves."""
