"""A simulated stream of bank customers with a known drift, and a labelled shift of any table.

The schema is that of the public bank-churners table: an id, a time, nineteen mixed columns and a
binary churn label. Nothing is copied from that table: marginals are drawn from distributions that
were chosen to look like it, and the label comes from a formula of ours that this file states.

What makes the stream useful is that the truth is known:

* Each column is drawn from a random source of its own, so two streams of one seed, with and
  without the drift, are equal in every column that the drift does not name, value by value.
* From the stated month on, the named columns get other marginals (a covariate shift). None of
  them feeds another column, so no derived column moves with them.
* From the same month on the label follows another formula (a concept drift): a model of the
  earlier months ranks the later customers badly, and one trained on the later months well.
* A label is known only some days after its row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from athanor.app.demo.shift import shift_copy
from athanor.app.demo.truth import DriftTruth
from athanor.kernel.errors import Invalid

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Numbers = NDArray[np.float64]
    Draws = dict[str, Numbers]

__all__ = ["DriftTruth", "Stream", "StreamPlan", "bank_stream", "shift_copy", "write_csv"]

ID, TIME, TARGET = "CLIENTNUM", "Recorded_At", "Attrition_Flag"
STAYED, LEFT = "Existing Customer", "Attrited Customer"
SHIFTED = ("Total_Trans_Amt", "Total_Amt_Chng_Q4_Q1", "Contacts_Count_12_mon")
COLUMNS = (
    ID, TIME, TARGET, "Customer_Age", "Gender", "Dependent_count", "Education_Level",
    "Marital_Status", "Income_Category", "Card_Category", "Months_on_book",
    "Total_Relationship_Count", "Months_Inactive_12_mon", "Contacts_Count_12_mon",
    "Credit_Limit", "Total_Revolving_Bal", "Avg_Open_To_Buy", "Total_Amt_Chng_Q4_Q1",
    "Total_Trans_Amt", "Total_Trans_Ct", "Total_Ct_Chng_Q4_Q1", "Avg_Utilization_Ratio",
)  # fmt: skip

# Levels and their shares in a healthy month.
GENDER = {"F": 0.53, "M": 0.47}
DEPENDENTS = {0: 0.09, 1: 0.18, 2: 0.26, 3: 0.27, 4: 0.155, 5: 0.045}
EDUCATION = {
    "Graduate": 0.309, "High School": 0.199, "Unknown": 0.15, "Uneducated": 0.147,
    "College": 0.1, "Post-Graduate": 0.051, "Doctorate": 0.044,
}  # fmt: skip
MARITAL = {"Married": 0.463, "Single": 0.389, "Unknown": 0.074, "Divorced": 0.074}
INCOME = {
    "Less than $40K": 0.352, "$40K - $60K": 0.177, "$60K - $80K": 0.138,
    "$80K - $120K": 0.152, "$120K +": 0.072, "Unknown": 0.109,
}  # fmt: skip
CARD = {"Blue": 0.93, "Silver": 0.055, "Gold": 0.012, "Platinum": 0.003}
RELATIONSHIPS = {1: 0.09, 2: 0.123, 3: 0.228, 4: 0.188, 5: 0.187, 6: 0.184}
INACTIVE = {0: 0.003, 1: 0.22, 2: 0.324, 3: 0.38, 4: 0.043, 5: 0.018, 6: 0.012}
CONTACTS = {0: 0.04, 1: 0.15, 2: 0.32, 3: 0.33, 4: 0.137, 5: 0.017, 6: 0.006}
CONTACTS_DRIFTED = {0: 0.02, 1: 0.08, 2: 0.20, 3: 0.32, 4: 0.26, 5: 0.08, 6: 0.04}

INCOME_LIMIT = np.array([0.0, 0.25, 0.55, 0.9, 1.1, 0.2])  # log credit limit, by income level
CARD_LIMIT = np.array([0.0, 0.8, 1.1, 1.3])  # log credit limit, by card level
TICKET_DRIFT = 0.42  # log of a transaction's size: amounts rise by half
AMOUNT_CHANGE_DRIFT = 0.16  # quarterly change of the amount, a ratio

# One entry per source of randomness; the order is the seed's format, so append only.
SOURCES = (
    "time", "age", "gender", "dependents", "education", "marital", "income", "card", "tenure",
    "relationships", "inactive", "contacts", "limit", "balance", "balance_kind",
    "amount_change", "ticket", "count", "count_change", "label", "id",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamPlan:
    """What to simulate. Months count from 1."""

    seed: int = 7
    months: int = 12
    rows_per_month: int = 1000
    drift_month: int | None = 9  # first month that is drifted; None: a healthy stream
    label_delay_days: int = 30  # a label is known this long after its row
    start_year: int = 2025  # the first month is this year's January

    def __post_init__(self) -> None:
        if self.months < 1 or self.rows_per_month < 1:
            message = "A stream needs at least one month and one row a month."
            raise Invalid(message, hint="Give months and rows_per_month of 1 or more.")
        if self.label_delay_days < 0:
            message = f"Labels cannot be known {-self.label_delay_days} days before their rows."
            raise Invalid(message, hint="Give label_delay_days of 0 or more.")
        if self.drift_month is not None and not 1 <= self.drift_month <= self.months:
            message = f"Month {self.drift_month} is outside the stream of {self.months} months."
            raise Invalid(message, hint="Give a drift_month within the stream, or None.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A simulated stream: rows in order of time, with the truth beside them."""

    plan: StreamPlan
    table: pa.Table  # columns as in COLUMNS
    month: NDArray[np.int64]  # of each row, from 1
    labels_known_at: NDArray[np.datetime64]  # of each row, UTC
    truth: DriftTruth

    def months(self, first: int, last: int) -> pa.Table:
        """The rows of the months `first` to `last`, both included."""
        return self.table.filter(pa.array((self.month >= first) & (self.month <= last)))

    def labels(self, first: int, last: int, *, known_by: datetime | None = None) -> pa.Table:
        """Id, label and `known_at` of months `first` to `last`, as far as known by a moment."""
        chosen = (self.month >= first) & (self.month <= last)
        if known_by is not None:
            moment = np.datetime64(known_by.astimezone(UTC).replace(tzinfo=None), "s")
            chosen &= self.labels_known_at <= moment
        labels = self.table.select([ID, TARGET])
        known_at = pa.array(iso(self.labels_known_at))
        return labels.append_column("known_at", known_at).filter(pa.array(chosen))


def bank_stream(plan: StreamPlan | None = None) -> Stream:
    """Simulate a stream of bank customers. One plan gives one stream, value by value."""
    plan = plan or StreamPlan()
    month = np.repeat(np.arange(1, plan.months + 1), plan.rows_per_month)
    drifted = month >= (plan.drift_month or plan.months + 1)
    draws = draw(plan.seed, month.size)
    at = moments(plan, month, draws["time"])
    columns: dict[str, Any] = {
        ID: 700_000_000 + np.cumsum(1 + (draws["id"] * 9).astype(np.int64)),
        TIME: iso(at),
        **customers(draws),
        **behaviour(draws, drifted),
    }
    logit = np.where(drifted, logit_after(columns), logit_before(columns))
    leaves = draws["label"] < 1.0 / (1.0 + np.exp(-logit))
    columns[TARGET] = np.where(leaves, LEFT, STAYED)
    table = pa.table({name: columns[name] for name in COLUMNS})
    delay = np.timedelta64(plan.label_delay_days * 86_400, "s")
    known_at: NDArray[np.datetime64] = np.add(at, delay)
    return Stream(
        plan=plan, table=table, month=month, labels_known_at=known_at, truth=truth_of(plan)
    )


def draw(seed: int, rows: int) -> Draws:
    """Uniform numbers in (0, 1), one independent source a column."""
    sources = np.random.SeedSequence(seed).spawn(len(SOURCES))
    return {
        name: np.random.default_rng(source).uniform(1e-12, 1.0, rows)
        for name, source in zip(SOURCES, sources, strict=True)
    }


def moments(plan: StreamPlan, month: NDArray[np.int64], uniform: Numbers) -> NDArray[Any]:
    """A moment within each row's month, in order."""
    first = np.datetime64(f"{plan.start_year}-01", "M")
    begin = (first + (month - 1)).astype("datetime64[s]")
    end = (first + month).astype("datetime64[s]")
    seconds = ((end - begin).astype(np.int64) * uniform).astype(np.int64)
    return np.sort(begin + seconds.astype("timedelta64[s]"))


def iso(at: NDArray[Any]) -> NDArray[np.str_]:
    """ISO 8601 in UTC, to the second."""
    return np.char.add(np.datetime_as_string(at, unit="s"), "Z")


def normal(uniform: Numbers) -> Numbers:
    """Standard normal quantiles of uniform numbers.

    Hastings' approximation, 26.2.23 in Abramowitz and Stegun: off by less than 0.00045, which no
    customer column shows.
    """
    tail = np.minimum(uniform, 1.0 - uniform)
    t = np.sqrt(-2.0 * np.log(tail))
    top = 2.515517 + 0.802853 * t + 0.010328 * t**2
    bottom = 1.0 + 1.432788 * t + 0.189269 * t**2 + 0.001308 * t**3
    return np.where(uniform < 0.5, -1.0, 1.0) * (t - top / bottom)


def position(uniform: Numbers, shares: dict[Any, float]) -> NDArray[np.int64]:
    """Which level each uniform number falls on, by the levels' shares."""
    edges = np.cumsum(list(shares.values()))
    return np.searchsorted(edges / edges[-1], uniform, side="right")


def level(uniform: Numbers, shares: dict[Any, float]) -> NDArray[Any]:
    return np.array(list(shares))[position(uniform, shares)]


def customers(draws: Draws) -> dict[str, NDArray[Any]]:
    """Who the customers are. Nothing here drifts."""
    age = np.clip(np.rint(46.3 + 8.0 * normal(draws["age"])), 26, 73)
    tenure = np.clip(np.rint(36 + 0.75 * (age - 46.3) + 5.2 * normal(draws["tenure"])), 13, 56)
    income, card = position(draws["income"], INCOME), position(draws["card"], CARD)
    log_limit = 8.25 + INCOME_LIMIT[income] + CARD_LIMIT[card] + 0.55 * normal(draws["limit"])
    limit = np.round(np.clip(np.exp(log_limit), 1438.3, 34516.0), 1)
    kind = draws["balance_kind"]  # a quarter pays all off, one in twenty stands at the cap
    carried = np.clip(np.rint(1400 + 480 * normal(draws["balance"])), 132, 2517)
    balance = np.where(kind < 0.24, 0.0, np.where(kind > 0.95, 2517.0, carried))
    balance = np.minimum(balance, np.floor(limit))
    return {
        "Customer_Age": age.astype(np.int64),
        "Gender": level(draws["gender"], GENDER),
        "Dependent_count": level(draws["dependents"], DEPENDENTS),
        "Education_Level": level(draws["education"], EDUCATION),
        "Marital_Status": level(draws["marital"], MARITAL),
        "Income_Category": np.array(list(INCOME))[income],
        "Card_Category": np.array(list(CARD))[card],
        "Months_on_book": tenure.astype(np.int64),
        "Total_Relationship_Count": level(draws["relationships"], RELATIONSHIPS),
        "Credit_Limit": limit,
        "Total_Revolving_Bal": balance.astype(np.int64),
        "Avg_Open_To_Buy": np.round(limit - balance, 1),
        "Avg_Utilization_Ratio": np.round(balance / limit, 3),
    }


def behaviour(draws: Draws, drifted: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    """What the customers did in the last year. The named columns drift; nothing reads them."""
    count = np.clip(np.rint(65 + 23 * normal(draws["count"])), 10, 139)
    ticket = np.exp(4.1 + 0.3 * normal(draws["ticket"]) + TICKET_DRIFT * drifted)
    change = 0.76 + 0.2 * normal(draws["amount_change"]) + AMOUNT_CHANGE_DRIFT * drifted
    contacts = np.where(
        drifted,
        level(draws["contacts"], CONTACTS_DRIFTED),
        level(draws["contacts"], CONTACTS),
    )
    count_change = 0.71 + 0.22 * normal(draws["count_change"])
    return {
        "Months_Inactive_12_mon": level(draws["inactive"], INACTIVE),
        "Contacts_Count_12_mon": contacts,
        "Total_Amt_Chng_Q4_Q1": np.round(np.clip(change, 0.0, None), 3),
        "Total_Trans_Amt": np.rint(np.clip(count * ticket, 510, None)).astype(np.int64),
        "Total_Trans_Ct": count.astype(np.int64),
        "Total_Ct_Chng_Q4_Q1": np.round(np.clip(count_change, 0.0, None), 3),
    }


def logit_before(columns: dict[str, Any]) -> Numbers:
    """Log-odds of leaving before the drift: customers who fade away."""
    count = (columns["Total_Trans_Ct"] - 65) / 23
    ticket = np.log(columns["Total_Trans_Amt"] / columns["Total_Trans_Ct"]) - 4.1
    score = (
        -1.3 * count
        - 0.7 * (columns["Total_Ct_Chng_Q4_Q1"] - 0.71) / 0.22
        - 0.7 * (columns["Total_Revolving_Bal"] > 0)
        + 0.8 * (columns["Total_Relationship_Count"] <= 2)
        + 0.6 * (columns["Months_Inactive_12_mon"] >= 3)
        + 0.4 * (columns["Contacts_Count_12_mon"] >= 3)
        + 0.4 * ticket / 0.3
    )
    return np.asarray(SHARPNESS * (score - CUT_BEFORE), dtype=float)


def logit_after(columns: dict[str, Any]) -> Numbers:
    """Log-odds of leaving after the drift: a rival's premium card wins the good customers."""
    count = (columns["Total_Trans_Ct"] - 65) / 23
    ticket = np.log(columns["Total_Trans_Amt"] / columns["Total_Trans_Ct"]) - 4.1
    limit = (np.log(columns["Credit_Limit"]) - 8.65) / 0.7
    score = (
        1.5 * limit
        - 0.4 * count
        + 0.6 * (ticket - TICKET_DRIFT) / 0.3
        + 0.7 * (columns["Total_Relationship_Count"] <= 2)
        - 0.4 * (columns["Customer_Age"] - 46) / 8
    )
    return np.asarray(SHARPNESS * (score - CUT_AFTER), dtype=float)


SHARPNESS = 4.0  # how far the label is from a coin's toss: the best reachable AUC is about 0.98
CUT_BEFORE, CUT_AFTER = 1.85, 2.1  # set so that about one in six leaves, as in the public table


def truth_of(plan: StreamPlan) -> DriftTruth:
    if plan.drift_month is None:
        return DriftTruth(kind="none")
    begin = datetime(
        plan.start_year + (plan.drift_month - 1) // 12,
        (plan.drift_month - 1) % 12 + 1,
        1,
        tzinfo=UTC,
    )
    return DriftTruth(
        kind="covariate and concept",
        month=plan.drift_month,
        starts_at=begin.isoformat(),
        from_row=(plan.drift_month - 1) * plan.rows_per_month,
        columns=SHIFTED,
        changes={
            "Total_Trans_Amt": f"amounts times {np.exp(TICKET_DRIFT):.2f}",
            "Total_Amt_Chng_Q4_Q1": f"quarterly change plus {AMOUNT_CHANGE_DRIFT}",
            "Contacts_Count_12_mon": "more contacts: four or more for 38 % instead of 16 %",
        },
        concept="before, fading customers left; after, a rival's card wins those with high limits",
    )


def write_csv(table: pa.Table, path: Path) -> None:
    """Write a table as CSV with a header, quoting only where needed."""
    options = pa_csv.WriteOptions(quoting_style="needed")
    pa_csv.write_csv(table, path, write_options=options)
