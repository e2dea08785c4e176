"""Do pindb's types help a user? A small project of a user is checked by mypy --strict, django-stubs and pyright."""
