"""The names that the pages' Python blocks use and do not define, a module for each page that needs its own."""
