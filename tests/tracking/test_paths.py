"""Paths of the artifact tree: nothing leads out of it, however it is written."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.tracking import BadArtifactPath
from athanor.tracking.errors import OtherProjectsPath
from athanor.tracking.logic.paths import below, clean, in_project, place_of
from athanor.tracking.logic.ranges import asked_range
from athanor.tracking.logic.sources import OurDataset, our_dataset

OUT = [
    "..",
    "../x",
    "a/../x",
    "a/..",
    "/etc/passwd",
    "//etc/passwd",
    "C:\\x",
    "C:/x",
    "c:x",
    "\\\\server\\share\\x",
    "..\\x",
    "a\\..\\..\\x",
    "file:///etc/passwd",
    "FILE:x",
    "a#b",
    "a\x00b",
]


@pytest.mark.parametrize("path", OUT)
@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_way_out_is_refused_however_it_is_encoded(path: str, times: int) -> None:
    for _ in range(times):
        path = quote(path, safe="", errors="surrogatepass")
    with pytest.raises(BadArtifactPath):
        clean(path)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("", ""),
        (".", ""),
        ("a//b/./c/", "a/b/c"),
        ("a b/ä.txt", "a b/ä.txt"),
        ("a%20b", "a b"),
        ("a\nb", "a%0ab"),
        ("..a/b..", "..a/b.."),
        ("a\\b", "a\\b"),
        ("model.pkl?x=1", "model.pkl?x=1"),
    ],
)
def test_a_path_has_one_form(given: str, kept: str) -> None:
    assert clean(given) == kept


@pytest.mark.parametrize("path", ["x" * 256, "/".join(["x" * 200] * 11), "ä" * 200])
def test_what_no_disk_takes_is_refused(path: str) -> None:
    with pytest.raises(BadArtifactPath, match="longer"):
        clean(path)


def test_half_a_letter_names_nothing() -> None:
    with pytest.raises(BadArtifactPath):
        clean("a\ud800")


def test_a_path_that_never_ends_decoding_is_refused() -> None:
    path = "../x"
    for _ in range(20):
        path = quote(path, safe="")
    with pytest.raises(BadArtifactPath):
        clean(path)


@given(st.text(max_size=60))
def test_what_is_taken_stays_below_its_root(path: str) -> None:
    try:
        kept = clean(path)
    except BadArtifactPath:
        return
    assert not kept.startswith("/")
    assert not kept.endswith("/")
    assert {"", ".", ".."}.isdisjoint(kept.split("/")) or kept == ""
    assert clean(kept) == kept


def test_projects_lie_apart() -> None:
    assert in_project("1/run", "default") == "1/run"
    assert in_project("1/run", "team") == "workspaces/team/1/run"
    assert in_project("workspaces/team/1", "team") == "workspaces/team/1"
    assert in_project("", "team") == "workspaces/team"
    for path, project in (("workspaces/team/1", "other"), ("workspaces/team/1", "default")):
        with pytest.raises(OtherProjectsPath):
            in_project(path, project)
    for project in ("..", "", "a/b", "x" * 300):
        with pytest.raises(BadArtifactPath):
            in_project("1/run", project)


@pytest.mark.parametrize(
    ("location", "kind", "path"),
    [
        ("mlflow-artifacts:/1/run/artifacts", "tree", "1/run/artifacts"),
        ("mlflow-artifacts://host:5000/1/run", "tree", "1/run"),
        ("http://host/api/2.0/mlflow-artifacts/artifacts/1/run", "tree", "1/run"),
        ("file:///tmp/x", "local", "file:///tmp/x"),
        ("/tmp/x", "local", "/tmp/x"),
        ("C:\\x", "local", "C:\\x"),
        ("s3://bucket/x", "remote", "s3://bucket/x"),
    ],
)
def test_locations_are_told_apart(location: str, kind: str, path: str) -> None:
    place = place_of(location)
    assert (place.kind, place.path) == (kind, path)


@pytest.mark.parametrize("location", ["http://host/elsewhere", "mlflow-artifacts:/../x"])
def test_a_location_leads_nowhere_else(location: str) -> None:
    with pytest.raises(BadArtifactPath):
        place_of(location)


def test_paths_are_joined() -> None:
    assert [below(*pair) for pair in (("a", "b"), ("a", ""), ("", "b"), ("", ""))] == [
        "a/b",
        "a",
        "b",
        "",
    ]


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("", (0, 10)),
        ("bytes=2-4", (2, 5)),
        ("bytes=2-", (2, 10)),
        ("bytes=-3", (7, 10)),
        ("bytes=0-99", (0, 10)),
        ("bytes=-99", (0, 10)),
        ("bytes=10-", None),
        ("bytes=-0", None),
        ("bytes=5-2", (0, 10)),
        ("bytes=0-1,3-4", (0, 10)),
        ("lines=1-2", (0, 10)),
        ("bytes=-", (0, 10)),
    ],
)
def test_one_range_is_understood(header: str, part: tuple[int, int] | None) -> None:
    assert asked_range(header, 10) == part


TABLES = "/ws/storage/tables/default"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('{"uri": "dataset:churn@3"}', OurDataset(reference="dataset:churn@3")),
        ("dataset:churn", OurDataset(reference="dataset:churn@latest")),
        (
            '{"uri": "/ws/storage/tables/default/churn"}',
            OurDataset(reference="dataset:churn@latest"),
        ),
        (
            '{"path": "file:///ws/storage/tables/default/churn", "delta_table_version": 4}',
            OurDataset(reference="dataset:churn@latest", delta_version=4),
        ),
        (
            '{"url": "http://127.0.0.1:5000/api/v1/datasets/churn/versions/2/rows"}',
            OurDataset(reference="dataset:churn@2"),
        ),
        ('{"uri": "/ws/storage/tables/other/churn"}', None),
        ('{"uri": "s3://bucket/churn"}', None),
        ('{"tags": {"mlflow.user": "ann"}}', None),
        ("[" * 100_000, None),
        ("", None),
    ],
)
def test_a_source_that_is_ours_is_known(source: str, found: OurDataset | None) -> None:
    assert our_dataset(source, TABLES) == found
