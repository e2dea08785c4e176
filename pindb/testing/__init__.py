"""What tests of users and of adapters are made of; nothing of pindb needs it."""
