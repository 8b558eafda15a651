"""The built-in suites, one TOML grid per file."""
