"""A folder for the import path of steps that were written for Kubeflow: it holds their `kfp`."""
