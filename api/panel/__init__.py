"""The web panel: server-rendered pages, kept live over SSE."""
