"""What a unit of work knows: values and state, no server is asked here."""
