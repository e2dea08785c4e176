"""Is a wheel enough? Each extra is installed alone, into a fresh environment, and runs a task or an actor there."""
