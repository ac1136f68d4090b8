"""The stream of events on NATS JetStream."""

from reconciler.stores.bus.jetstream import JetStreamBus

__all__ = ["JetStreamBus"]
