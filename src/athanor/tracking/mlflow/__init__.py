"""MLflow's REST protocol: what a client sends, translated into calls of our own services."""
