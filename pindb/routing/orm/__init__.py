"""What pindb changes in Django's ORM, one file a change."""
