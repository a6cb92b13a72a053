"""Responsible AI: evaluation reports, explanations, group figures and the quality gate.

`athanor.responsible.logic` needs numpy and is loaded by name.
"""

from athanor.responsible.catalogue import CATALOGUE
from athanor.responsible.types import Indicator

__all__ = ["CATALOGUE", "Indicator"]
