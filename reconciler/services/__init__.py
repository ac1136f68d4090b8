"""Starting, watching and stopping the embedded parts and the platform's own processes."""
