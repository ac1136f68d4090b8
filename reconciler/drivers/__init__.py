"""What acts on engines and clusters."""
