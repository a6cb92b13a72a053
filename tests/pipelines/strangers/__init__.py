"""Pipelines as strangers write them with Kubeflow's SDK."""
