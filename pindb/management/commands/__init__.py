"""Django finds the commands here, by file name."""
