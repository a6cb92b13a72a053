"""What the server answers at the studio's addresses."""

import asyncio
import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from athanor.app.studio_files import mount_studio

SCRIPT = "export const ember = 1;\n" * 50


@dataclass(slots=True)
class Browserless:
    """Asks the app in this process, one request at a time."""

    app: FastAPI

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return self.send("GET", path, headers)

    def post(self, path: str) -> httpx.Response:
        return self.send("POST", path)

    def send(
        self, method: str, path: str, headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://a") as client:
                return await client.request(method, path, headers=headers)

        return asyncio.run(ask())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    built = tmp_path / "studio"
    (built / "assets").mkdir(parents=True)
    (built / "index.html").write_text("<!doctype html><title>page</title>")
    (built / "assets" / "main-ab12.js").write_text(SCRIPT)
    (built / "assets" / "main-ab12.js.gz").write_bytes(gzip.compress(SCRIPT.encode()))
    (built / ".vite").mkdir()
    (built / ".vite" / "manifest.json").write_text("{}")
    (tmp_path / "secret.txt").write_text("not ours to show")
    return built


@pytest.fixture
def client(folder: Path) -> Browserless:
    app = FastAPI()

    @app.get("/api/v1/runs")
    def runs() -> list[str]:
        return []

    mount_studio(app, folder)
    return Browserless(app)


@pytest.mark.parametrize("path", ["/", "/runs", "/data/churn", "/runs/0af3", "/models/a.b@1"])
def test_deep_links_get_the_page(client: Browserless, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    assert "<title>page</title>" in answer.text
    assert answer.headers["cache-control"] == "no-cache"


def test_the_page_may_load_nothing_from_elsewhere(client: Browserless) -> None:
    headers = client.get("/").headers
    assert "default-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"


def test_hashed_files_are_kept_for_ever_and_sent_compressed(client: Browserless) -> None:
    answer = client.get("/assets/main-ab12.js")
    assert answer.text == SCRIPT
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-type"].startswith(("text/javascript", "application/javascript"))
    plain = client.get("/assets/main-ab12.js", headers={"accept-encoding": "identity"})
    assert plain.text == SCRIPT
    assert "content-encoding" not in plain.headers


def test_a_file_of_an_older_build_is_missing_and_not_the_page(client: Browserless) -> None:
    assert client.get("/assets/main-old1.js").status_code == 404
    assert client.get("/scheme.js").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/%00",
        "/.vite/manifest.json",
        "//etc/passwd",
    ],
)
def test_nothing_outside_the_build_is_answered(client: Browserless, path: str) -> None:
    answer = client.get(path)
    assert "not ours to show" not in answer.text
    assert "root:" not in answer.text
    assert answer.text != "{}"


def test_the_api_keeps_its_own_answers(client: Browserless) -> None:
    assert client.get("/api/v1/runs").json() == []
    assert client.get("/api/v1/nothing").status_code == 404
    assert client.get("/api/v1/nothing").headers["content-type"] == "application/json"
    assert client.post("/api/v1/runs").status_code == 405
    assert client.post("/runs").status_code == 404


def test_an_unbuilt_studio_says_how_to_build_it(tmp_path: Path) -> None:
    app = FastAPI()
    mount_studio(app, tmp_path / "nowhere")
    answer = Browserless(app).get("/")
    assert answer.status_code == 503
    assert "make studio" in answer.text
