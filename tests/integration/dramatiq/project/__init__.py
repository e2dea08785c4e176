"""A project with django-dramatiq, as its README has it: the shop's databases, a broker in the settings, own actors."""
