"""Suggested checks stop what is broken and let pass what has merely drifted."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from athanor.data import DatasetVersion, Expectation, Roles
from athanor.data.errors import UnfitTable, UnknownColumn, UnknownExpectation
from athanor.data.service.intake import failing_checks
from athanor.kernel import OWNER
from athanor.testing.data import DataRoom
from tests.data.conftest import CHURN, Written, churn, customers

Rows = list[dict[str, str]]


def rows_of(text: str) -> Rows:
    return list(csv.DictReader(io.StringIO(text)))


def text_of(rows: Rows) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def changed(places: list[int], **values: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        for place in places:
            rows[place] |= values

    return change


def without(name: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        for row in rows:
            del row[name]

    return change


def misspelt(rows: Rows) -> None:
    for row in rows[:30]:
        row["country"] = row["country"].upper()


def doubled(rows: Rows) -> None:
    rows[10:12] = [dict(rows[0]), dict(rows[0])]


def in_cents(rows: Rows) -> None:
    for row in rows:
        row["spent"] = str(float(row["spent"]) * 10_000)


FAULTS: dict[str, tuple[Callable[[Rows], None], str, str, tuple[int, ...]]] = {
    "a negative age": (changed([3], age="-4"), "range", "age", (4,)),
    "an impossible age": (changed([7, 9], age="999"), "range", "age", (8, 10)),
    "a word for an age": (changed([5], age="old"), "columns", "", (6,)),
    "no label": (changed([2], left=""), "label", "left", (3,)),
    "an unknown label": (changed([8], left="maybe"), "label", "left", (9,)),
    "no column": (without("spent"), "columns", "", ()),
    "no label column": (without("left"), "columns", "", ()),
    "no values": (changed(list(range(200)), spent=""), "missing", "spent", ()),
    "many values gone": (changed(list(range(60)), age=""), "missing", "age", ()),
    "no id": (changed([1], customer=""), "missing", "customer", (2,)),
    "repeated ids": (doubled, "unique", "customer", (1, 11, 12)),
    "another spelling": (misspelt, "values", "country", ()),
    "other units": (in_cents, "range", "spent", ()),
    "infinite": (changed([4], spent="inf"), "range", "spent", (5,)),
}


@pytest.fixture
def with_first(room: DataRoom, written: Written) -> DataRoom:
    first = room.datasets.add(OWNER, "churn", churn(written("v1.csv", customers(0, 400))))
    assert first.state == "ready"
    return room


@pytest.mark.parametrize(
    ("fault", "mode"),
    [
        *((fault, "append") for fault in FAULTS),
        *((fault, "replace") for fault in ("a negative age", "no column", "repeated ids")),
    ],
)
def test_a_fault_is_stopped_with_its_rows(
    fault: str, mode: str, with_first: DataRoom, written: Written
) -> None:
    change, kind, column, rows = FAULTS[fault]
    broken = rows_of(customers(1_000, 200))
    change(broken)
    added = with_first.datasets.add(
        OWNER, "churn", churn(written("broken.csv", text_of(broken)), mode, roles=Roles())
    )
    assert added.state == "quarantined"
    failing = {(check.kind, check.column): check for check in failing_checks(added)}
    assert (kind, column) in failing
    if rows:
        assert failing[kind, column].rows == rows
    latest = with_first.datasets.version(OWNER, "churn@latest")
    assert (latest.number, latest.rows) == (1, 400)
    [told] = with_first.told("data.version.quarantined")
    assert told.detail["checks"][0]["message"]


def unchanged(rows: Rows) -> None:
    del rows


def older(rows: Rows) -> None:
    for row in rows:
        row["age"] = str(int(row["age"]) + 15)


def dearer(rows: Rows) -> None:
    for row in rows:
        row["spent"] = str(float(row["spent"]) * 2)


HEALTHY: dict[str, Callable[[Rows], None]] = {
    "unchanged": unchanged,
    "older": older,
    "dearer": dearer,
    "other mix": changed(list(range(150)), country="it"),
    "some gone": changed(list(range(4)), age=""),
    "a new country": changed(list(range(40)), country="poland"),
    "one label": changed(list(range(200)), left="no"),
    "fractions": changed([0], age="33.5"),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_a_drifted_but_valid_version_is_ready(
    name: str, with_first: DataRoom, written: Written
) -> None:
    rows = rows_of(customers(1_000, 200))
    HEALTHY[name](rows)
    path = written("later.csv", text_of(rows))
    added = with_first.datasets.add(OWNER, "churn", churn(path, "append", roles=Roles()))
    assert [check.message for check in failing_checks(added)] == []
    assert (added.state, added.rows, added.number) == ("ready", 600, 2)
    told = [check.message for check in added.checks if check.kind == "values" and check.count]
    new = "'country' has new values: 40 of 200 rows hold others than the known, such as 'poland'"
    assert told == ([f"{new} (row 1); up to 100 may."] if name == "a new country" else [])


def test_a_first_version_with_repeated_ids_is_refused(room: DataRoom, written: Written) -> None:
    path = written("v1.csv", customers(0, 50) + "1003,40,de,1.5,no\n")
    with pytest.raises(UnfitTable, match="'1003' stands in more than one row") as caught:
        room.datasets.add(OWNER, "churn", churn(path))
    assert caught.value.details["rows"] == [4, 51]
    assert room.datasets.datasets(OWNER) == []


def test_a_label_of_one_class_is_refused(room: DataRoom, written: Written) -> None:
    text = customers().replace(",yes\n", ",no\n")
    with pytest.raises(UnfitTable, match=r"one value only \('no'\)"):
        room.datasets.add(OWNER, "churn", churn(written("v1.csv", text)))


def test_a_label_that_is_missing_everywhere_is_refused(room: DataRoom, written: Written) -> None:
    text = customers().replace(",yes\n", ",\n").replace(",no\n", ",\n")
    with pytest.raises(UnfitTable, match="'left' is missing in every row"):
        room.datasets.add(OWNER, "churn", churn(written("v1.csv", text)))


def test_an_unknown_target_is_refused_with_near_names(room: DataRoom, written: Written) -> None:
    with pytest.raises(UnknownColumn, match=r"no column 'lift'.* 'left'"):
        room.datasets.add(
            OWNER, "churn", churn(written("v1.csv", customers()), roles=Roles(target="lift"))
        )


def test_a_column_that_is_always_missing_is_named_and_left_out(
    room: DataRoom, written: Written
) -> None:
    lines = customers().splitlines()
    text = "\n".join([f"{lines[0]},gone", *(f"{line}," for line in lines[1:])])
    version = room.datasets.add(OWNER, "churn", churn(written("v1.csv", text)))
    assert version.left_out == {"gone": "It is missing in every row."}
    profile = room.datasets.profile(OWNER, "churn")
    assert any(item.code == "empty" and item.column == "gone" for item in profile.warnings)


def test_leaks_are_named_and_left_out_and_do_not_stop_a_version(
    room: DataRoom, data_folder: Path
) -> None:
    path = data_folder / "bank_churners" / "BankChurners.csv"
    roles = Roles(target="Attrition_Flag", id="CLIENTNUM")
    version = room.datasets.add(OWNER, "bank", churn(path, roles=roles))
    assert version.state == "ready"
    assert sorted(name[-2:] for name in version.left_out) == ["_1", "_2"]
    assert all(name.startswith("Naive_Bayes") for name in version.left_out)
    artifact = room.lineage.artifact(OWNER, version.artifact_id)
    assert artifact.metadata["left_out"] == version.left_out
    [leak] = [check for check in version.checks if check.kind == "leakage"]
    assert (leak.passed, leak.severity, len(leak.left_out)) == (False, "warn", 2)


def test_expectations_can_be_set_and_tried_again(with_first: DataRoom) -> None:
    wanted = [Expectation(kind="range", column="age", parameters={"minimum": 30, "maximum": 40})]
    with_first.datasets.expect(OWNER, "churn", wanted)
    assert with_first.datasets.expectations(OWNER, "churn") == wanted
    [result] = with_first.datasets.check(OWNER, "churn@1")
    assert not result.passed
    assert result.rows[0] == 1
    with pytest.raises(UnknownExpectation, match="'rnge'"):
        with_first.datasets.expect(OWNER, "churn", [Expectation(kind="rnge")])


def test_what_is_suggested_is_what_was_set_at_first(with_first: DataRoom) -> None:
    suggested = with_first.datasets.suggest(OWNER, "churn")
    assert suggested == with_first.datasets.expectations(OWNER, "churn")


def test_quarantine_shows_the_rows_to_blame(with_first: DataRoom, written: Written) -> None:
    broken = rows_of(customers(1_000, 50))
    broken[3]["age"] = "-4"
    path = written("broken.csv", text_of(broken))
    added = with_first.datasets.add(OWNER, "churn", churn(path, "append", roles=Roles()))
    shown = with_first.datasets.quarantine(OWNER, f"churn@{added.number}")
    assert [(row.row, row.values["age"]) for row in shown.rows] == [(4, -4)]
    assert shown.failing[0].kind == "range"


def test_a_good_file_follows_on_the_last_ready_version(
    with_first: DataRoom, written: Written
) -> None:
    broken = written("broken.csv", customers(1_000, 50).replace(",no\n", ",never\n"))
    good = written("good.csv", customers(1_000, 50))
    states: list[DatasetVersion] = [
        with_first.datasets.add(OWNER, "churn", churn(path, "append")) for path in (broken, good)
    ]
    assert [(item.number, item.state, item.rows) for item in states] == [
        (2, "quarantined", 50),
        (3, "ready", 450),
    ]


TABLES = [
    ("adult/adult_train.csv.gz", Roles(target="income")),
    ("bank_churners/BankChurners.csv", Roles(target="Attrition_Flag", id="CLIENTNUM")),
    ("german_credit/german_credit.csv", Roles(target="credit_risk")),
    ("bank_marketing/bank_additional_full.csv.gz", Roles(target="y")),
    ("penguins/penguins.csv", Roles(target="species")),
    ("nyc_taxis/taxis.csv", Roles(target="total")),
]


@pytest.mark.parametrize(("name", "roles"), TABLES)
def test_random_halves_of_real_tables_raise_no_alarm(
    name: str, roles: Roles, data_folder: Path, room: DataRoom, tmp_path: Path
) -> None:
    opener = __import__("gzip").open if name.endswith(".gz") else open
    with opener(data_folder / name, "rt", encoding="utf-8") as stream:
        header, *lines = stream.read().splitlines()
    order = np.random.default_rng(7).permutation(len(lines))
    half = len(lines) // 2
    for number, part in enumerate((order[:half], order[half:], order[half : half + 200])):
        path = tmp_path / f"{number}.csv"
        path.write_text("\n".join([header, *(lines[place] for place in part)]) + "\n")
        mode = "replace" if number < 2 else "append"
        named = roles if number == 0 else Roles()
        added = room.datasets.add(OWNER, "table", churn(path, mode, roles=named))
        if number == 2 and roles.id:
            continue  # the same customers again: rightly stopped
        assert [check.message for check in failing_checks(added)] == []


def test_roles_stay_until_they_are_named_anew(with_first: DataRoom, written: Written) -> None:
    path = written("next.csv", customers(1_000, 100))
    added = with_first.datasets.add(
        OWNER, "churn", churn(path, roles=Roles(sensitive=("country",)))
    )
    assert added.roles == Roles(target="left", id="customer", sensitive=("country",))
    assert with_first.datasets.dataset(OWNER, "churn").roles.target == CHURN.target


def test_numbers_that_name_rows_may_go_on(room: DataRoom, written: Written) -> None:
    def file(name: str, first: int) -> Path:
        lines = [f"{first + row},{20 + row % 50},{row % 2}" for row in range(400)]
        return written(name, "number,age,left\n" + "\n".join(lines) + "\n")

    for name, first in (("old.csv", 1), ("new.csv", 90_000)):
        new = churn(file(name, first), roles=Roles(target="left"))
        version = room.datasets.add(OWNER, "visitors", new)
        assert version.state == "ready"
