"""The translation: intents in, manifests out, the same bytes every time. Pure."""
