"""The loops: each observes, plans, executes and records; each can be stopped and run twice."""
