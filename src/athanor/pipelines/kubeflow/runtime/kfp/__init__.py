"""What a Kubeflow component imports while it runs: the part of `kfp` that a step needs.

Written anew after the public interface of Kubeflow Pipelines 2 (https://kubeflow-pipelines.readthedocs.io);
pipelines are authored with the real one. It needs nothing but Python, so that a step's own
environment can have it by one entry in its import path.
"""

from . import dsl

__all__ = ["__version__", "dsl"]
__version__ = "2.17.0"
