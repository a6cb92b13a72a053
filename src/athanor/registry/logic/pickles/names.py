"""Which names in a pickle are usual, unknown or dangerous.

Usual names are those that scikit-learn, NumPy, SciPy, pandas, LightGBM, XGBoost and PyTorch write
into the pickles of their own models. Whole packages are trusted only for classes: their functions
include some that evaluate text (`numpy.testing`, `pandas.eval`).
"""

import re

from athanor.registry.scans import Level

_DANGEROUS_MODULES = frozenset(
    {
        *("_aix_support", "_osx_support", "_posixsubprocess", "_pyrepl", "_socket"),
        *("asyncio", "bdb", "cProfile", "code", "codeop", "commands", "concurrent", "ctypes"),
        *("distutils", "doctest", "ensurepip", "fileinput", "ftplib", "gc", "http", "httplib"),
        *("idlelib", "imaplib", "imp", "importlib", "inspect", "io", "_io", "lib2to3", "linecache"),
        *("marshal", "mmap", "multiprocessing", "nt", "ntpath", "os", "pathlib", "pdb", "pickle"),
        *("_pickle", "pip", "pkgutil", "platform", "poplib", "posix", "posixpath", "profile"),
        *("pty", "pydoc", "requests", "resource", "runpy", "setuptools", "shelve", "shutil"),
        *("signal", "site", "smtplib", "socket", "socketserver", "sqlite3", "ssl", "subprocess"),
        *("sys", "tempfile", "telnetlib", "threading", "_thread", "timeit", "trace", "urllib"),
        *("urllib2", "urllib3", "venv", "webbrowser", "winreg", "xmlrpc", "zipimport", "zipfile"),
        *("httpx", "aiohttp", "paramiko", "fabric", "sh", "pexpect", "psutil", "cffi", "torch.hub"),
        *(
            "numpy.testing",
            "numpy.f2py",
            "numpy.distutils",
            "numpy.ctypeslib",
            "torch.serialization",
        ),
        *("torch.distributed", "torch.utils.cpp_extension", "torch._inductor", "torch._dynamo"),
        *("joblib.parallel", "joblib.memory", "pandas.io", "mlflow.projects", "IPython"),
    }
)
_BUILTINS = frozenset({"builtins", "__builtin__", "__builtins__"})
_SAFE_BUILTINS = frozenset(
    {
        *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list"),
        *("object", "range", "xrange", "set", "slice", "str", "tuple", "unicode", "long"),
        *("Ellipsis", "NotImplemented", "Exception", "ValueError", "KeyError", "TypeError"),
    }
)
_DANGEROUS = frozenset(
    {
        *("operator.methodcaller", "operator.attrgetter", "_operator.methodcaller"),
        *("_operator.attrgetter", "functools.partialmethod", "types.ModuleType"),
        *("numpy.load", "numpy.fromfile", "numpy.save", "numpy.savetxt", "numpy.loadtxt"),
        *("numpy.genfromtxt", "numpy.memmap", "numpy.fromregex", "torch.storage._load_from_bytes"),
        *("pandas.eval", "pandas.read_pickle", "pandas.core.computation.eval.eval"),
        *("torch.load", "torch.save", "torch.compile", "torch.jit.load", "joblib.load"),
        *("joblib.numpy_pickle.load", "dill.load", "dill.loads", "cloudpickle.load"),
        *("cloudpickle.loads", "sklearn.datasets.fetch_openml"),
        *("mlflow.pyfunc.load_model", "mlflow.sklearn.load_model", "yaml.load", "yaml.unsafe_load"),
    }
)
_USUAL = frozenset(
    {
        *("collections.OrderedDict", "collections.defaultdict", "collections.Counter"),
        *("collections.deque", "copyreg._reconstructor", "copy_reg._reconstructor"),
        *("copyreg.__newobj__", "copyreg.__newobj_ex__", "_codecs.encode", "array.array"),
        *("array._array_reconstructor", "datetime.datetime", "datetime.date", "datetime.time"),
        *("datetime.timedelta", "datetime.timezone", "decimal.Decimal", "fractions.Fraction"),
        *(
            "uuid.UUID",
            "types.SimpleNamespace",
            "zoneinfo.ZoneInfo._unpickle",
            "pytz._p",
            "pytz._UTC",
        ),
        *("numpy.dtype", "numpy.ndarray", "numpy.matrix", "numpy.ma.core.MaskedArray"),
        *("numpy.ma.core._mareconstruct", "numpy.core.multiarray._reconstruct"),
        *("numpy.core.multiarray.scalar", "numpy._core.multiarray._reconstruct"),
        *("numpy._core.multiarray.scalar", "numpy.core.numeric._frombuffer"),
        *("numpy._core.numeric._frombuffer", "numpy.random._pickle.__randomstate_ctor"),
        *("numpy.random._pickle.__generator_ctor", "numpy.random._pickle.__bit_generator_ctor"),
        *("numpy.random._mt19937.MT19937", "numpy.random._pcg64.PCG64", "numpy.asarray"),
        *("numpy.reshape", "numpy.log1p", "numpy.expm1", "numpy.log", "numpy.exp", "numpy.sqrt"),
        *("numpy.random.bit_generator.SeedSequence", "numpy.core._ufunc_reconstruct"),
        *(
            "numpy._core._ufunc_reconstruct",
            "scipy.stats._distn_infrastructure.rv_continuous_frozen",
        ),
        *("sklearn.metrics._dist_metrics.newObj", "sklearn.neighbors._kd_tree.newObj"),
        *("sklearn.neighbors._ball_tree.newObj", "sklearn.tree._tree.Tree"),
        *("sklearn.metrics._scorer._passthrough_scorer", "sklearn.utils._bunch.Bunch"),
        *("sklearn.__pyx_unpickle_Enum", "joblib.numpy_pickle.NumpyArrayWrapper"),
        *("joblib.numpy_pickle.NDArrayWrapper", "joblib.numpy_pickle.ZNDArrayWrapper"),
        *("pandas.core.indexes.base._new_Index", "pandas._libs.internals._unpickle_block"),
        *(
            "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked",
            "pandas._libs.tslibs.nattype._nat_unpickle",
        ),
        *("pandas._libs.tslibs.timestamps._unpickle_timestamp", "pandas.to_numeric"),
        *("pandas.core.internals.blocks.new_block", "pandas.core.internals.blocks._unpickle_block"),
        *("pandas.to_datetime", "torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2"),
        *("torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state"),
        *("torch._utils._rebuild_qtensor", "torch._utils._rebuild_sparse_tensor"),
        *("torch._utils._rebuild_device_tensor_from_numpy", "torch.device", "torch.Size"),
        *("torch._tensor._rebuild_from_type_v2", "io.BytesIO", "io.StringIO", "pathlib.Path"),
        *("_io.BytesIO", "_io.StringIO", "pathlib.PosixPath", "pathlib.PurePosixPath"),
        *("torch.float16", "torch.float32", "torch.float64", "torch.int8", "torch.int16"),
        *("torch.int32", "torch.int64", "torch.uint8", "torch.bool", "torch.bfloat16"),
        *("torch.serialization._get_layout", "xgboost.core.Booster", "lightgbm.basic.Booster"),
    }
)
_PANDAS = re.compile(
    r"pandas\.(DataFrame|Series|Index|RangeIndex|MultiIndex|CategoricalIndex|DatetimeIndex|"
    r"Timestamp|Timedelta|Interval|Categorical|[A-Z][A-Za-z0-9]*Dtype|arrays\.[A-Z][A-Za-z]*)"
)
_NUMPY_SCALAR = re.compile(
    r"numpy(\._?core\.numerictypes)?\."
    r"(bool_?|u?int(8|16|32|64|c|p)?|float(16|32|64|128)|complex(64|128)|"
    r"str_|bytes_|datetime64|timedelta64|void|object_|longdouble|double|single|longlong)"
)
_CLASS = re.compile(r"_?[A-Z][A-Za-z0-9]*")
_CLASS_PACKAGES = frozenset(
    {"sklearn", "lightgbm", "xgboost", "catboost", "imblearn", "category_encoders", "statsmodels"}
)
_CLASS_MODULES = (
    *("scipy.sparse", "scipy.interpolate", "scipy.stats", "scipy.spatial", "scipy._lib._bunch"),
    *("pandas.core.frame", "pandas.core.series", "pandas.core.indexes", "pandas.core.internals"),
    *("pandas.core.arrays", "pandas.core.dtypes", "pandas._libs.internals", "pandas._libs.tslibs"),
    *("torch.nn.modules", "torch.nn.parameter", "torch.optim", "torch.storage", "torch._C"),
)
_COMPILED = frozenset({"numpy", "scipy", "sklearn", "pandas", "lightgbm", "xgboost"})
_TORCH_STORAGE = re.compile(r"torch\.([A-Z][A-Za-z0-9]*Storage)")
_SKLEARN_RISKY = frozenset({"sklearn.externals", "sklearn.datasets", "sklearn.utils._testing"})


def level_of(module: str, name: str) -> Level:
    """How a name that a pickle imports is judged."""
    full = f"{module}.{name}"
    if module in _BUILTINS:
        return "usual" if name in _SAFE_BUILTINS else "dangerous"
    if full in _USUAL:
        return "usual"
    if full in _DANGEROUS or _below(full, _DANGEROUS) or _below(module, _DANGEROUS_MODULES):
        return "dangerous"
    if name.startswith("__pyx_unpickle_") and module.split(".", 1)[0] in _COMPILED:
        return "usual"
    if "." in name or "__" in name:
        return "unknown"  # an attribute of an attribute: not what a class writes of itself
    if any(rule.fullmatch(full) for rule in (_NUMPY_SCALAR, _TORCH_STORAGE, _PANDAS)):
        return "usual"
    if _CLASS.fullmatch(name) and _vouched(module):
        return "usual"
    return "unknown"


def _vouched(module: str) -> bool:
    if _below(module, _SKLEARN_RISKY):
        return False
    if module.split(".", 1)[0] in _CLASS_PACKAGES:
        return True
    return any(module == known or module.startswith(f"{known}.") for known in _CLASS_MODULES)


def _below(module: str, known: frozenset[str]) -> bool:
    """Whether a module, or a package that it lies in, is among the known ones."""
    parts = module.split(".")
    return any(".".join(parts[:count]) in known for count in range(1, len(parts) + 1))
