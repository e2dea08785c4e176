"""An ordinary app."""
