"""With django-multidb-router."""
