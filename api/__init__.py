"""People's ways in: HTTP, the panel, the command line, and the composition root."""
