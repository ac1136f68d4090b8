"""The language: kinds, identity and paths, reading with line numbers, the tree, the checks. Pure."""
