"""Definitions in files."""

from pathlib import Path

import pytest

from athanor.features import Entity, Field
from athanor.features.commands import BadDefinitionFile, read_definitions

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_readmes_definitions_are_read(tmp_path: Path) -> None:
    file = tmp_path / "features.yaml"
    text = README.read_text("utf-8").partition("```yaml\nentities:")[2].partition("```")[0]
    file.write_text(f"entities:{text}")
    found = read_definitions(file)
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
