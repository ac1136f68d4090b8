"""Git: the intents and the rendered manifests."""

from reconciler.stores.git.repository import GitRepository

__all__ = ["GitRepository"]
