"""Serving: endpoints, deployments, traffic, the data plane, the prediction log."""
