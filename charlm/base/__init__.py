"""Standard library only: errors, registries, configuration."""
