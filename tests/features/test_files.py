"""Definitions in files."""

import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athanor.data import NewVersion
from athanor.features import Entity, Field, Materialize, Push, SpineSource, TrainingRequest
from athanor.features.files import BadDefinitionFile, BadRows, read_definitions, rows_told
from athanor.kernel.permissions import OWNER
from athanor.testing.features import FeaturesRoom

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readmes_features_are_found_for_its_own_tables(
    room: FeaturesRoom, tmp_path: Path
) -> None:
    file = tmp_path / "features.yaml"
    readme = README.read_text("utf-8")
    text = readme.partition("```yaml\nentities:")[2].partition("```")[0]
    file.write_text(f"entities:{text}")
    found = read_definitions(file)
    for name, rows in re.findall(r"cat > (\w+)\.csv <<END\n(.*?)END\n", readme, re.DOTALL):
        table = tmp_path / f"{name}.csv"
        table.write_text(rows)
        room.data.datasets.add(OWNER, name, NewVersion(path=table))
    room.features.apply(OWNER, found)
    [(features, spine, at)] = re.findall(
        r"feature join training (\w+) --dataset (\w+) --at (\w+)", readme
    )
    request = TrainingRequest(features=(features,), spine=SpineSource(dataset=spine), at=at)
    assert room.training.create(OWNER, "training", request).missing == {"amount": 0, "share": 0}
    assert found.entities == (Entity(name="customer", keys=(Field(name="customer"),)),)
    assert found.views[0].ttl == 90 * 86_400
    assert found.on_demand[0].request == (Field(name="limit", type="number"),)
    assert found.services[0].features == ("spending", "share")


@pytest.mark.parametrize(
    "text", ["views: 5", "entities: [{name: a, keys: 7}]", "- 1", "views: [1]"]
)
def test_a_file_that_defines_nothing_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "features.yaml"
    file.write_text(text)
    with pytest.raises(BadDefinitionFile, match=r"features\.yaml"):
        read_definitions(file)


def test_the_page_on_features_in_python_runs(
    room: FeaturesRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (README.parent / "docs" / "features.md").read_text("utf-8")
    files = dict(re.findall(r"`(\w+\.py)`[^`]*```python\n(.*?)```", page, re.DOTALL))
    assert sorted(files) == ["features.py", "tables.py", "use.py"]
    monkeypatch.chdir(tmp_path)
    exec(compile(files["tables.py"], "tables.py", "exec"), {})  # noqa: S102 - our own page
    for name in ("purchases", "truths"):
        room.data.datasets.add(OWNER, name, NewVersion(path=tmp_path / f"{name}.csv"))
    (tmp_path / "features.py").write_text(files["features.py"])
    room.features.apply(OWNER, read_definitions(tmp_path / "features.py"))
    row = {"customer": 1, "at": "2026-04-01T08:00:00Z", "pages": 3}
    room.views.push(OWNER, "visits", Push(rows=(row,)))
    request = TrainingRequest(features=("churn",), spine=SpineSource(dataset="truths"), at="asked")
    missing = room.training.create(OWNER, "training", request).missing
    assert (missing["mean"], missing["share"], missing["jump"]) == (0, 0, 0)
    room.online.materialize(OWNER, Materialize())
    report = room.online.check_parity("churn")
    assert (report.rows, report.keys, report.differing) == (74, 73, 0)


def test_rows_are_read_from_files_lines_and_lists(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    for text in ('[{"a": 1}, {"a": 2}]', '{"a": 1}\n\n{"a": 2}\n'):
        file.write_text(text)
        assert rows_told(str(file)) == rows_told(f"@{file}") == [{"a": 1}, {"a": 2}]
    assert rows_told('{"a": 1}') == [{"a": 1}]
    cells, rows = tmp_path / "rows.csv", tmp_path / "rows.parquet"
    cells.write_text("a,b,c\n01,1.5,\n2,true,x\n")
    assert rows_told(str(cells), {"a"}) == [
        {"a": "01", "b": 1.5, "c": None}, {"a": "2", "b": True, "c": "x"},
    ]  # fmt: skip
    pq.write_table(pa.table({"a": [1, None]}), rows)
    assert rows_told(f"@{rows}") == [{"a": 1}, {"a": None}]
    file.write_text('{"a": 1}\n{"a": \n')
    for told, what in (
        (str(file), "line 2 is no JSON"),
        (str(tmp_path / "none.json"), "No such file"),
        (str(tmp_path / "none.csv"), "No such file"),
        (str(tmp_path), "Is a directory"),
        ("[1]", "row 1 is no JSON object"),
        ('{"a"', "it is no JSON"),
    ):
        with pytest.raises(BadRows, match=what):
            rows_told(told)
