"""One machine: the KFP local runner, Triton and Envoy as child processes."""
