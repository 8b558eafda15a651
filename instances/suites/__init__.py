"""The suites: grids of instances, their TOML files, and the built-in ones, one file each."""
