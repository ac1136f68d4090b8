"""Starting, watching, restarting and ending the embedded parts and the platform's own processes."""
