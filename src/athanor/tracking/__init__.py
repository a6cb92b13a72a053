"""Experiments: the parameters and metrics that runs tell of themselves."""

from typing import TYPE_CHECKING

from athanor.kernel.front_door import lazily

if TYPE_CHECKING:
    from athanor.tracking.errors import (
        ArtifactFileNotFound,
        BadArtifactPath,
        BadKey,
        BadSearch,
        BatchTooLarge,
        ElsewhereKept,
        ExperimentDeleted,
        ExperimentExists,
        ExperimentNotFound,
        LoggedModelNotFound,
        ParamChanged,
        RunDeleted,
        TagNotFound,
        TrackedRunNotFound,
        Unloggable,
    )
    from athanor.tracking.files import (
        FileEntry,
        SentPart,
        Upload,
    )
    from athanor.tracking.hints import (
        Diagnosis,
        Hint,
    )
    from athanor.tracking.homes import (
        Homes,
        TrackedHomes,
    )
    from athanor.tracking.inputs import (
        DatasetInfo,
        DatasetInput,
        DatasetSummary,
        ModelOutput,
        RunInputs,
    )
    from athanor.tracking.logged_models import (
        LoggedModel,
        LoggedModelQuery,
        MeasuredOn,
        ModelMetric,
        NewLoggedModel,
    )
    from athanor.tracking.logic.paths import (
        Place,
        in_project,
        place_of,
    )
    from athanor.tracking.logic.rules import (
        check_key,
    )
    from athanor.tracking.logic.search import (
        model_filter,
        model_orders,
        page_offset,
        page_token,
        version_filter,
        version_orders,
    )
    from athanor.tracking.mlflow.artifacts import (
        ArtifactServices,
        add_artifact_routes,
        tree_path,
    )
    from athanor.tracking.mlflow.borders import (
        Borders,
    )
    from athanor.tracking.mlflow.calls import (
        Answer,
        Answered,
        Call,
        Head,
        double,
        headers_of,
    )
    from athanor.tracking.mlflow.experiments import (
        add_experiment_routes,
    )
    from athanor.tracking.mlflow.failures import (
        MlflowError,
        invalid,
    )
    from athanor.tracking.mlflow.inputs import (
        add_input_routes,
        attached,
    )
    from athanor.tracking.mlflow.logged_models import (
        add_logged_model_routes,
        model_metrics,
    )
    from athanor.tracking.mlflow.metrics import (
        add_metric_routes,
    )
    from athanor.tracking.mlflow.records import (
        Record,
        Required,
        missing,
        unfit,
    )
    from athanor.tracking.mlflow.routing import (
        MlflowRoutes,
        Route,
    )
    from athanor.tracking.mlflow.runs import (
        add_run_routes,
    )
    from athanor.tracking.mlflow.server import (
        add_server_routes,
    )
    from athanor.tracking.mlflow.wire import (
        MlflowApp,
    )
    from athanor.tracking.mlflow.workspaces import (
        add_workspace_routes,
    )
    from athanor.tracking.searches import (
        Comparison,
        Order,
    )
    from athanor.tracking.service import (
        Experiments,
        Neighbours,
        Tracking,
    )
    from athanor.tracking.service.debug import (
        Debug,
        DebugNeighbours,
        DebugWatch,
    )
    from athanor.tracking.service.files import (
        RunFiles,
    )
    from athanor.tracking.service.inputs import (
        InputNeighbours,
        Inputs,
    )
    from athanor.tracking.service.logged_models import (
        LoggedModels,
        ModelNeighbours,
    )
    from athanor.tracking.service.model_artifacts import (
        ModelArtifacts,
    )
    from athanor.tracking.service.writes import (
        WriteQueue,
    )
    from athanor.tracking.shelf import (
        Shelf,
    )
    from athanor.tracking.store import (
        ExperimentStore,
        RunSearch,
        SqlExperimentStore,
        SqlTrackedRunStore,
        TrackedRunStore,
    )
    from athanor.tracking.store.files import (
        SqlFileStore,
    )
    from athanor.tracking.store.hints import (
        SqlHintStore,
    )
    from athanor.tracking.store.inputs import (
        SqlInputStore,
    )
    from athanor.tracking.store.logged_models import (
        SqlLoggedModelStore,
    )
    from athanor.tracking.types import (
        DEFAULT_EXPERIMENT_ID,
        RUN_NAME_TAG,
        Batch,
        Experiment,
        ExperimentPage,
        ExperimentQuery,
        HistoryQuery,
        KeyedPoint,
        Metric,
        NewExperiment,
        NewMetric,
        NewTrackedRun,
        Param,
        Point,
        RunChange,
        RunInfo,
        RunLog,
        RunPage,
        RunQuery,
        TrackedRun,
    )

__getattr__ = lazily(
    __name__,
    {
        "Answer": "mlflow.calls",
        "Answered": "mlflow.calls",
        "ArtifactFileNotFound": "errors",
        "ArtifactServices": "mlflow.artifacts",
        "BadArtifactPath": "errors",
        "BadKey": "errors",
        "BadSearch": "errors",
        "Batch": "types",
        "BatchTooLarge": "errors",
        "Borders": "mlflow.borders",
        "Call": "mlflow.calls",
        "Comparison": "searches",
        "DEFAULT_EXPERIMENT_ID": "types",
        "DatasetInfo": "inputs",
        "DatasetInput": "inputs",
        "DatasetSummary": "inputs",
        "Debug": "service.debug",
        "DebugNeighbours": "service.debug",
        "DebugWatch": "service.debug",
        "Diagnosis": "hints",
        "ElsewhereKept": "errors",
        "Experiment": "types",
        "ExperimentDeleted": "errors",
        "ExperimentExists": "errors",
        "ExperimentNotFound": "errors",
        "ExperimentPage": "types",
        "ExperimentQuery": "types",
        "ExperimentStore": "store",
        "Experiments": "service",
        "FileEntry": "files",
        "Head": "mlflow.calls",
        "Hint": "hints",
        "HistoryQuery": "types",
        "Homes": "homes",
        "InputNeighbours": "service.inputs",
        "Inputs": "service.inputs",
        "KeyedPoint": "types",
        "LoggedModel": "logged_models",
        "LoggedModelNotFound": "errors",
        "LoggedModelQuery": "logged_models",
        "LoggedModels": "service.logged_models",
        "MeasuredOn": "logged_models",
        "Metric": "types",
        "MlflowApp": "mlflow.wire",
        "MlflowError": "mlflow.failures",
        "MlflowRoutes": "mlflow.routing",
        "ModelArtifacts": "service.model_artifacts",
        "ModelMetric": "logged_models",
        "ModelNeighbours": "service.logged_models",
        "ModelOutput": "inputs",
        "Neighbours": "service",
        "NewExperiment": "types",
        "NewLoggedModel": "logged_models",
        "NewMetric": "types",
        "NewTrackedRun": "types",
        "Order": "searches",
        "Param": "types",
        "ParamChanged": "errors",
        "Place": "logic.paths",
        "Point": "types",
        "RUN_NAME_TAG": "types",
        "Record": "mlflow.records",
        "Required": "mlflow.records",
        "Route": "mlflow.routing",
        "RunChange": "types",
        "RunDeleted": "errors",
        "RunFiles": "service.files",
        "RunInfo": "types",
        "RunInputs": "inputs",
        "RunLog": "types",
        "RunPage": "types",
        "RunQuery": "types",
        "RunSearch": "store",
        "SentPart": "files",
        "Shelf": "shelf",
        "SqlExperimentStore": "store",
        "SqlFileStore": "store.files",
        "SqlHintStore": "store.hints",
        "SqlInputStore": "store.inputs",
        "SqlLoggedModelStore": "store.logged_models",
        "SqlTrackedRunStore": "store",
        "TagNotFound": "errors",
        "TrackedHomes": "homes",
        "TrackedRun": "types",
        "TrackedRunNotFound": "errors",
        "TrackedRunStore": "store",
        "Tracking": "service",
        "Unloggable": "errors",
        "Upload": "files",
        "WriteQueue": "service.writes",
        "add_artifact_routes": "mlflow.artifacts",
        "add_experiment_routes": "mlflow.experiments",
        "add_input_routes": "mlflow.inputs",
        "add_logged_model_routes": "mlflow.logged_models",
        "add_metric_routes": "mlflow.metrics",
        "add_run_routes": "mlflow.runs",
        "add_server_routes": "mlflow.server",
        "add_workspace_routes": "mlflow.workspaces",
        "attached": "mlflow.inputs",
        "check_key": "logic.rules",
        "double": "mlflow.calls",
        "headers_of": "mlflow.calls",
        "in_project": "logic.paths",
        "invalid": "mlflow.failures",
        "missing": "mlflow.records",
        "model_filter": "logic.search",
        "model_metrics": "mlflow.logged_models",
        "model_orders": "logic.search",
        "page_offset": "logic.search",
        "page_token": "logic.search",
        "place_of": "logic.paths",
        "tree_path": "mlflow.artifacts",
        "unfit": "mlflow.records",
        "version_filter": "logic.search",
        "version_orders": "logic.search",
    },
)

__all__ = [
    "DEFAULT_EXPERIMENT_ID",
    "RUN_NAME_TAG",
    "Answer",
    "Answered",
    "ArtifactFileNotFound",
    "ArtifactServices",
    "BadArtifactPath",
    "BadKey",
    "BadSearch",
    "Batch",
    "BatchTooLarge",
    "Borders",
    "Call",
    "Comparison",
    "DatasetInfo",
    "DatasetInput",
    "DatasetSummary",
    "Debug",
    "DebugNeighbours",
    "DebugWatch",
    "Diagnosis",
    "ElsewhereKept",
    "Experiment",
    "ExperimentDeleted",
    "ExperimentExists",
    "ExperimentNotFound",
    "ExperimentPage",
    "ExperimentQuery",
    "ExperimentStore",
    "Experiments",
    "FileEntry",
    "Head",
    "Hint",
    "HistoryQuery",
    "Homes",
    "InputNeighbours",
    "Inputs",
    "KeyedPoint",
    "LoggedModel",
    "LoggedModelNotFound",
    "LoggedModelQuery",
    "LoggedModels",
    "MeasuredOn",
    "Metric",
    "MlflowApp",
    "MlflowError",
    "MlflowRoutes",
    "ModelArtifacts",
    "ModelMetric",
    "ModelNeighbours",
    "ModelOutput",
    "Neighbours",
    "NewExperiment",
    "NewLoggedModel",
    "NewMetric",
    "NewTrackedRun",
    "Order",
    "Param",
    "ParamChanged",
    "Place",
    "Point",
    "Record",
    "Required",
    "Route",
    "RunChange",
    "RunDeleted",
    "RunFiles",
    "RunInfo",
    "RunInputs",
    "RunLog",
    "RunPage",
    "RunQuery",
    "RunSearch",
    "SentPart",
    "Shelf",
    "SqlExperimentStore",
    "SqlFileStore",
    "SqlHintStore",
    "SqlInputStore",
    "SqlLoggedModelStore",
    "SqlTrackedRunStore",
    "TagNotFound",
    "TrackedHomes",
    "TrackedRun",
    "TrackedRunNotFound",
    "TrackedRunStore",
    "Tracking",
    "Unloggable",
    "Upload",
    "WriteQueue",
    "add_artifact_routes",
    "add_experiment_routes",
    "add_input_routes",
    "add_logged_model_routes",
    "add_metric_routes",
    "add_run_routes",
    "add_server_routes",
    "add_workspace_routes",
    "attached",
    "check_key",
    "double",
    "headers_of",
    "in_project",
    "invalid",
    "missing",
    "model_filter",
    "model_metrics",
    "model_orders",
    "page_offset",
    "page_token",
    "place_of",
    "tree_path",
    "unfit",
    "version_filter",
    "version_orders",
]
