"""`manage.py pindb_doctor`: one module a section. Each section is a function that produces its findings."""
