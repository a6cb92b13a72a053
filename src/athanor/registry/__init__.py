"""The registry: models, their versions, aliases and packaging.

`athanor.registry.packaging` (save_model, load_model) needs scikit-learn and is loaded by name.
"""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.registry.errors import (
        BadModelFolder,
        BadModelName,
        BadModelSource,
        BadStage,
        BadTag,
        ContentElsewhere,
        GateNotPassed,
        ModelExists,
        ModelNotFound,
        ModelVersionNotFound,
        NothingToRollBack,
        RecordRefused,
        UnsafeModel,
    )
    from athanor.registry.logic.mlmodel import (
        read_description,
    )
    from athanor.registry.operations import (
        operations,
        resolver,
    )
    from athanor.registry.relations import (
        model_versions,
    )
    from athanor.registry.service import (
        Models,
        held,
    )
    from athanor.registry.store import (
        ModelStore,
        SqlModelStore,
    )
    from athanor.registry.types import (
        AliasMove,
        Comparison,
        InputColumn,
        Label,
        Model,
        ModelDescription,
        ModelVersion,
        NewModelVersion,
        Signature,
        TrainedModel,
        Upload,
    )

__getattr__ = lazily(
    __name__,
    {
        "AliasMove": "types",
        "BadModelFolder": "errors",
        "BadModelName": "errors",
        "BadModelSource": "errors",
        "BadStage": "errors",
        "BadTag": "errors",
        "ContentElsewhere": "errors",
        "ModelExists": "errors",
        "Comparison": "types",
        "GateNotPassed": "errors",
        "InputColumn": "types",
        "Label": "types",
        "Model": "types",
        "ModelDescription": "types",
        "ModelNotFound": "errors",
        "ModelStore": "store",
        "ModelVersion": "types",
        "ModelVersionNotFound": "errors",
        "Models": "service",
        "NewModelVersion": "types",
        "NothingToRollBack": "errors",
        "RecordRefused": "errors",
        "Signature": "types",
        "SqlModelStore": "store",
        "TrainedModel": "types",
        "UnsafeModel": "errors",
        "Upload": "types",
        "held": "service",
        "model_versions": "relations",
        "operations": "operations",
        "read_description": "logic.mlmodel",
        "resolver": "operations",
    },
)

__all__ = [
    "AliasMove",
    "BadModelFolder",
    "BadModelName",
    "BadModelSource",
    "BadStage",
    "BadTag",
    "Comparison",
    "ContentElsewhere",
    "GateNotPassed",
    "InputColumn",
    "Label",
    "Model",
    "ModelDescription",
    "ModelExists",
    "ModelNotFound",
    "ModelStore",
    "ModelVersion",
    "ModelVersionNotFound",
    "Models",
    "NewModelVersion",
    "NothingToRollBack",
    "RecordRefused",
    "Signature",
    "SqlModelStore",
    "TrainedModel",
    "UnsafeModel",
    "Upload",
    "held",
    "model_versions",
    "operations",
    "read_description",
    "resolver",
]
