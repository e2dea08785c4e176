"""With django_replicated."""
