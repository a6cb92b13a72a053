"""Twelve faults in real tables: the suggested checks stop eleven or more, and no clean table."""

import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import pytest

from athanor.data import Roles
from athanor.data.service.intake import failing_checks
from athanor.kernel import OWNER
from athanor.testing.data import DataRoom
from tests.data.conftest import churn

Rows = list[dict[str, str]]
BANK = ("bank_churners/BankChurners.csv", Roles(target="Attrition_Flag", id="CLIENTNUM"))
ADULT = ("adult/adult_train.csv.gz", Roles(target="income"))
TAXIS = ("nyc_taxis/taxis.csv", Roles(target="total"))
BIKES = ("bike_sharing/hour.csv", Roles(target="cnt", id="instant"))
BIRDS = ("birdstrikes/birdstrikes.csv", Roles())


def scaled(column: str, factor: float) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        for row in rows:
            if row[column]:
                row[column] = str(float(row[column]) * factor)

    return change


def put(column: str, value: str, every: int = 1) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        for row in rows[::every]:
            row[column] = value

    return change


def swapped(first: str, second: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        for row in rows:
            row[first], row[second] = row[second], row[first]

    return change


def doubled(rows: Rows) -> None:
    rows += [dict(row) for row in rows[:50]]


def cut(rows: Rows) -> None:
    del rows[20:]


def dropped(column: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        for row in rows:
            del row[column]

    return change


def shouted(column: str) -> Callable[[Rows], None]:
    def change(rows: Rows) -> None:
        for row in rows:
            row[column] = f" {row[column].upper()}."

    return change


FAULTS: dict[str, tuple[tuple[str, Roles], Callable[[Rows], None]]] = {
    "cents for euros": (TAXIS, scaled("fare", 10_000)),
    "negative ages": (BANK, put("Customer_Age", "-1", 100)),
    "a sentinel for missing": (BANK, put("Total_Trans_Ct", "99999", 500)),
    "rows twice": (BANK, doubled),
    "a misspelt label": (BANK, put("Attrition_Flag", "Existing Custommer", 200)),
    "two columns swapped": (BANK, swapped("Gender", "Marital_Status")),
    "a column is gone": (ADULT, dropped("education_num")),
    "another spelling": (ADULT, shouted("workclass")),
    "a third is missing": (ADULT, put("hours_per_week", "", 3)),
    "words among numbers": (BIKES, put("temp", "warm", 900)),
    "decimal points lost": (BIKES, scaled("hum", 1_000)),
    "half of a file": (BIRDS, cut),
}


def rows_of(folder: Path, name: str) -> Rows:
    path = folder / name
    opener = gzip.open if name.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def written(rows: Rows, path: Path) -> Path:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, rows[0].keys(), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(stream.getvalue())
    return path


def stopped(
    room: DataRoom, folder: Path, place: Path, fault: str, *, broken: bool = True
) -> list[str]:
    """The messages of the checks that a second half fails, with a fault or without."""
    (name, roles), change = FAULTS[fault]
    rows = rows_of(folder, name)
    first, second = rows[::2][:4_000], rows[1::2][:4_000]
    if broken:
        change(second)
    room.datasets.add(OWNER, "table", churn(written(first, place / "a.csv"), roles=roles))
    made = room.datasets.add(OWNER, "table", churn(written(second, place / "b.csv"), roles=Roles()))
    return [check.message for check in failing_checks(made)]


@pytest.mark.parametrize("fault", ["negative ages", "two columns swapped", "half of a file"])
def test_three_of_the_faults_are_stopped(
    fault: str, room: DataRoom, data_folder: Path, tmp_path: Path
) -> None:
    assert stopped(room, data_folder, tmp_path, fault)


@pytest.mark.soak
@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_stopped(
    fault: str, room: DataRoom, data_folder: Path, tmp_path: Path
) -> None:
    assert stopped(room, data_folder, tmp_path, fault)


@pytest.mark.soak
@pytest.mark.parametrize("fault", ["cents for euros", "negative ages", "another spelling",
                                   "words among numbers", "half of a file"])  # fmt: skip
def test_a_clean_half_raises_no_alarm(
    fault: str, room: DataRoom, data_folder: Path, tmp_path: Path
) -> None:
    assert stopped(room, data_folder, tmp_path, fault, broken=False) == []
