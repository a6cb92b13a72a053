"""Which types a model file may hold: an explicit list, whatever the file says about itself.

skops keeps a list of its own (estimators of scikit-learn, arrays, numbers, text); what stands here
is allowed beyond it. Names are full and exact: a whole package would let in functions that run
code. `operator.methodcaller` stays out for that reason (it can call `DataFrame.eval`).
"""

from collections.abc import Iterable

ALLOWED = frozenset(
    {
        "collections.OrderedDict",
        "collections.defaultdict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
        "numpy.asarray",
        "numpy.dtype",
        "numpy.reshape",
        "pandas.to_datetime",
        "pandas.to_numeric",
        "sklearn.compose._column_transformer._RemainderColsList",
        # Their trees are looked over after they were read: see `soundness`.
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "sklearn.feature_selection._mutual_info.mutual_info_classif",
        "sklearn.feature_selection._mutual_info.mutual_info_regression",
        "sklearn.feature_selection._univariate_selection.chi2",
        "sklearn.feature_selection._univariate_selection.f_classif",
        "sklearn.feature_selection._univariate_selection.f_regression",
        "sklearn.tree._tree.Tree",
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
    }
)


def strangers(types: Iterable[str]) -> list[str]:
    """The names among `types` that are not allowed, sorted."""
    return sorted(set(types) - ALLOWED)
