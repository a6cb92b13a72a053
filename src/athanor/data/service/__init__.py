"""The verbs of the data room: datasets, watched folders, SQL."""

from athanor.data.service.datasets import Datasets
from athanor.data.service.ground import Ground
from athanor.data.service.sql import Sql
from athanor.data.service.watches import Watches

__all__ = ["Datasets", "Ground", "Sql", "Watches"]
