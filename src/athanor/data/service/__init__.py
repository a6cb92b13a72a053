"""The verbs of the data room: datasets, watched folders, SQL."""

from athanor.data.service.datasets import Datasets
from athanor.data.service.finder import Finder
from athanor.data.service.ground import Ground
from athanor.data.service.sources import Sources
from athanor.data.service.splits import Splits
from athanor.data.service.sql import Sql
from athanor.data.service.versions import Versions
from athanor.data.service.watches import Watches

__all__ = ["Datasets", "Finder", "Ground", "Sources", "Splits", "Sql", "Versions", "Watches"]
