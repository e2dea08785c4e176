"""What makes the shop a site like a real one: a catalogue, sessions, accounts, carts, forms, and a checkout's tasks."""
