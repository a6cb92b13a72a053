"""Names in addresses."""

import pytest

from athanor.kernel.transport import BadName, segment


def test_a_name_is_one_segment() -> None:
    assert segment("churn") == "churn"
    assert segment("é ?#%2e") == "%C3%A9%20%3F%23%252e"
    assert segment("model:churn@2") == "model%3Achurn%402"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/", "../x", "a\\b"])
def test_a_name_that_would_be_another_path_is_refused(name: str) -> None:
    with pytest.raises(BadName, match=r"can't name|empty"):
        segment(name)
