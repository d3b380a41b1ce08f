"""The same job in other engines. Each file runs alone in the rivals' own environment (`make rivals`)."""
