"""Forges, by their APIs: Gitea and GitHub."""
