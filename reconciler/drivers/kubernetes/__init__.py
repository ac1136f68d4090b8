"""Drivers for what stands on a Kubernetes cluster."""
