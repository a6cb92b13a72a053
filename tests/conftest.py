"""Fixtures that any room's tests may ask for."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# The contract classes assert as tests do: this has to be said before they are imported.
pytest.register_assert_rewrite("athanor.testing")

from athanor.kernel.database import Database  # noqa: E402 - see above
from athanor.testing import FixedClock  # noqa: E402
from athanor.testing.database import (  # noqa: E402
    Databases,
    Postgres,
    PostgresMissing,
    running_postgres,
)

ROOT = Path(__file__).resolve().parents[1]

# A shared machine is slow at times: examples have no deadline of their own.
_SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
settings.register_profile("suite", max_examples=40, deadline=None, suppress_health_check=_SLOW)
settings.register_profile("soak", max_examples=1000, deadline=None, suppress_health_check=_SLOW)


def pytest_configure(config: pytest.Config) -> None:
    soaking = config.getoption("-m") == "soak"
    settings.load_profile("soak" if soaking else "suite")


# Where the longest tests stand: they begin first, so that no worker is left alone with them.
_LONG = ("e2e", "pipelines", "moving", "studio", "app", "serving", "tracking", "registry")


@pytest.hookimpl(trylast=True)  # after the shuffling, whose order stays within each of these
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def turn(item: pytest.Item) -> int:
        room = item.path.relative_to(ROOT / "tests").parts[0]
        return _LONG.index(room) if room in _LONG else len(_LONG)

    items.sort(key=turn)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the developer has set for his own workspace does not reach the tests."""
    for name in os.environ:
        if name.startswith("ATHANOR_") and not name.startswith("ATHANOR_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty folder of the test's own, as `athanor up --workspace` would make it."""
    folder = tmp_path / "workspace"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Public data sets beside the repository, or where ATHANOR_TEST_DATA says."""
    folder = Path(os.environ.get("ATHANOR_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no public data sets in {folder}: set ATHANOR_TEST_DATA to their folder")
    return folder


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A Postgres server, started once for all tests of this process."""
    try:
        server = running_postgres()
        started = server.__enter__()
    except PostgresMissing as missing:
        pytest.skip(f"no Postgres server here: {missing}")
    yield started
    server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    return Databases(tmp_path_factory.mktemp("databases"))


@pytest.fixture
def sqlite(databases: Databases) -> Iterator[Database]:
    """One empty SQLite database, for tests that any database will do for."""
    with databases.sqlite() as database:
        yield database


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[Database]:
    """An empty database with every table; the test runs on each kind."""
    if request.param == "postgres":
        opened = databases.postgres(request.getfixturevalue("postgres"))
    else:
        opened = getattr(databases, request.param)()
    with opened as database:
        yield database
