"""The demo, `python -m tests.demo`: the shop on a lagging standby, without pindb, by 0.1.12's recipe, with pindb."""
