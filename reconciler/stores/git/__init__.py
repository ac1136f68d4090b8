"""Git: the intents and the rendered manifests."""
