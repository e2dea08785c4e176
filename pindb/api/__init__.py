"""What `import pindb` offers."""
