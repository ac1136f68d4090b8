"""The only package that touches the world: it observes, plans, executes and records."""
