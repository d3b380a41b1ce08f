"""The command line: one module for each command; `app` knows them all by name."""
