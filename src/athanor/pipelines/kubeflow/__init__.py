"""Kubeflow pipelines on one machine: reading their steps, and what their code imports."""
