"""A real server, and a real browser that looks at it."""

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, Request, sync_playwright

from athanor.app.studio_files import BUILT
from athanor.testing.server import RunningServer, running_server

ROOT = Path(__file__).resolve().parents[2]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",  # containers have none to give
    "--disable-gpu",
    "--disable-background-networking",  # the browser's own calls home
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


def load_build() -> ModuleType:
    """`web/build.py`, which stands outside of the package."""
    spec = importlib.util.spec_from_file_location("studio_build", ROOT / "web" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def build() -> ModuleType:
    return load_build()


@pytest.fixture(scope="session")
def studio(build: ModuleType) -> Path:
    """The built studio, of the sources as they stand."""
    if not build.is_current():
        pytest.skip("the studio is not built, or of older sources: make studio")
    return BUILT


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    # Ends with its module: while Playwright is open, it holds this thread's event loop, and tests
    # elsewhere that start one of their own would fail.
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(f"no browser here (looked for {', '.join(BROWSERS)})")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="module")
def server(studio: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with an empty workspace, one a module."""
    with running_server(tmp_path_factory.mktemp("studio") / "workspace") as running:
        yield running


@dataclass(slots=True)
class Visit:
    """A page, and all that it asked for and complained about."""

    page: Page
    origin: str
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Load a path as a reader who follows a link from elsewhere does."""
        self.page.goto(self.origin + path)
        self.page.locator("h1").first.wait_for()

    def streams(self) -> int:
        """How many event streams were opened."""
        return sum("/events/stream" in request.url for request in self.requests)

    def foreign(self) -> list[str]:
        """What was asked of anybody but the server; what a page made itself lies behind `blob:`."""
        own = (f"{self.origin}/", f"blob:{self.origin}/")
        return [request.url for request in self.requests if not request.url.startswith(own)]


def visit(browser: Browser, origin: str, **how: object) -> Visit:
    """Open a tab of its own; its context ends with the browser."""
    options: dict[str, object] = {"locale": "en-GB", "viewport": {"width": 1280, "height": 800}}
    context = browser.new_context(**{**options, **how})  # type: ignore[arg-type]
    context.set_default_timeout(30_000)
    made = Visit(context.new_page(), origin)

    # Functions rather than methods: Playwright marks what it is given, and methods don't bear it.
    def note(request: Request) -> None:
        made.requests.append(request)

    def hear(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            made.complaints.append(message.text)

    def fail(error: Error) -> None:
        made.complaints.append(str(error))

    made.page.on("request", note)
    made.page.on("console", hear)
    made.page.on("pageerror", fail)
    return made


@pytest.fixture
def tab(browser: Browser, server: RunningServer) -> Iterator[Visit]:
    """A tab on the server; whatever a test does, nothing foreign is asked and nothing complains."""
    made = visit(browser, server.url)
    yield made
    made.page.context.close()
    assert made.foreign() == []
    assert made.complaints == []
