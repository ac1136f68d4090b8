"""What the workers need of the world, as Protocols: one a file, its rules in its docstring."""
