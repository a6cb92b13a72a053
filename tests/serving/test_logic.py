"""The pure parts: signatures, routing, doors, frames, sequential bounds, canary judgements."""

import math
import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from athanor.kernel.errors import AthanorError
from athanor.serving.errors import ColumnMissing, TooManyRecords, ValueRefused
from athanor.serving.logic import canary, exposition, frames
from athanor.serving.logic.canary import Counts, Evidence
from athanor.serving.logic.frames import Ask, Frames
from athanor.serving.logic.routing import Target, choose, fraction_of
from athanor.serving.logic.rows import Recorder
from athanor.serving.logic.scaling import Scaler
from athanor.serving.logic.sequential import share
from athanor.serving.logic.signature import parse, scored
from athanor.serving.types import CanaryPlan, InputColumn, Signature
from athanor.serving.types.rollouts import Scaling

TYPES = ("double", "float", "long", "integer", "string", "boolean", "datetime")
ALL = Signature(columns=tuple(InputColumn(name=kind, type=kind) for kind in TYPES))

fitting = st.fixed_dictionaries(
    {
        "double": st.none() | st.floats(allow_nan=False) | st.integers(-(2**53), 2**53),
        "float": st.none() | st.floats(allow_nan=False),
        "long": st.none() | st.integers(-(2**63), 2**63 - 1),
        "integer": st.none() | st.integers(-(2**31), 2**31 - 1),
        "string": st.none() | st.text(),
        "boolean": st.none() | st.booleans(),
        "datetime": st.none() | st.datetimes().map(lambda value: value.isoformat()),
    }
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(st.lists(fitting, min_size=1, max_size=5))
def test_what_fits_is_taken_as_it_is(records: list[dict[str, Any]]) -> None:
    parsed = parse(ALL, {"records": records})
    assert parsed.rows == [[record[kind] for kind in TYPES] for record in records]
    assert parsed.ignored == []
    split = {
        "columns": list(TYPES),
        "data": [[record[kind] for kind in TYPES] for record in records],
    }
    assert parse(ALL, {"dataframe_split": split}).rows == parsed.rows


@pytest.mark.parametrize(
    ("classes", "place"),
    [
        ([0, 1], 1),
        ([1, 0], 0),
        ([False, True], 1),
        ([1, 2], 1),
        (["0", "1"], 1),
        ([0, 1, 2], -1),
        ([], -1),
    ],
)
def test_the_score_is_of_what_is_true(classes: list[Any], place: int) -> None:
    assert scored(Signature(), classes) == place
    assert scored(Signature(positive=0), classes) == 0


def refusal(body: object) -> AthanorError | None:
    try:
        parse(ALL, body)
    except AthanorError as error:
        return error
    return None


@given(json_values)
def test_no_body_breaks_it(body: object) -> None:
    for wrapped in (body, {"records": body}, {"records": [body]}, {"dataframe_split": body}):
        error = refusal(wrapped)
        if error is not None:
            assert 400 <= error.status < 500
            assert error.hint


@given(fitting, st.sampled_from(TYPES), json_values)
def test_a_value_is_taken_or_named(record: dict[str, Any], kind: str, value: object) -> None:
    body = {"records": [record, {**record, kind: value}]}
    error = refusal(body)
    if error is not None:
        assert isinstance(error, ValueRefused)
        assert error.details == {"row": 1, "column": kind}
        return
    taken = parse(ALL, body).rows[1][TYPES.index(kind)]
    expected = {"double": float, "float": float, "long": int, "integer": int}
    if value is None or kind not in expected:
        assert taken == value
    else:
        assert taken == expected[kind](value)
        assert type(taken) is expected[kind]


def test_missing_columns_are_named_and_optional_ones_are_null() -> None:
    signature = Signature(
        columns=(
            InputColumn(name="a", type="double"),
            InputColumn(name="b", type="string", required=False),
        )
    )
    assert parse(signature, {"records": [{"a": 1}]}).rows == [[1.0, None]]
    with pytest.raises(ColumnMissing, match="Record 1 lacks the column 'a'"):
        parse(signature, {"records": [{"a": 1}, {"b": "x", "A": 2}]})
    with pytest.raises(TooManyRecords):
        parse(signature, {"records": [{"a": 1}] * 3}, max_rows=2)


def test_keys_and_ignored_columns() -> None:
    signature = Signature(columns=(InputColumn(name="a", type="double"),))
    parsed = parse(signature, {"records": [{"a": 1, "id": 7, "z": 0}, {"a": 2, "y": 0}]}, key="id")
    assert parsed.keys == ["7", None]
    assert parsed.ignored == ["y", "z"]
    assert parse(signature, {"records": [{"a": 1, "id": 7}]}).ignored == ["id"]


def target(number: int, weight: float) -> Target:
    return Target(
        id=f"{number:032x}",
        number=number,
        model="m",
        version=number,
        weight=weight,
        sockets=[],
        signature=ALL,
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=4), st.text(max_size=40))
def test_the_choice_is_stable_and_never_a_target_without_weight(
    weights: list[float], request_id: str
) -> None:
    targets = [target(place, weight) for place, weight in enumerate(weights)]
    chosen = choose(targets, request_id)
    assert chosen == choose(targets, request_id)
    if len(targets) > 1 and any(weights):
        assert chosen is not None
        assert chosen.weight > 0
    assert 0 <= fraction_of(request_id) < 1


def test_shares_are_kept() -> None:
    targets = [target(1, 0.7), target(2, 0.2), target(3, 0.1)]
    found = [choose(targets, f"request {n}") for n in range(20_000)]
    for item in targets:
        assert abs(found.count(item) / 20_000 - item.weight) < 0.015


def test_a_growing_canary_keeps_the_requests_that_it_had() -> None:
    few = [target(1, 0.9), target(2, 0.1)]
    more = [target(1, 0.5), target(2, 0.5)]
    for number in range(2_000):
        was, now = choose(few, str(number)), choose(more, str(number))
        assert was is not None
        assert now is not None
        if was.number == 2:
            assert now.number == 2


@given(st.lists(st.binary(max_size=50), max_size=10), st.integers(1, 7))
def test_frames_survive_any_cut(payloads: list[bytes], size: int) -> None:
    wire = b"".join(
        frames.HEAD.pack(len(payload), number) + payload for number, payload in enumerate(payloads)
    )
    reader = Frames()
    found = [
        frame
        for start in range(0, len(wire), size)
        for frame in reader.feed(wire[start : start + size])
    ]
    assert found == list(enumerate(payloads))


def test_asks_cross_whole() -> None:
    rows: list[list[Any]] = [[1.5, None, "ä", 2**63 - 1, True], [math.inf, -0.0, "", 0, False]]
    ((number, payload),) = Frames().feed(frames.framed(9, Ask(rows)))
    assert number == 9
    assert frames.ASKS.decode(payload).rows == rows


@given(st.integers(0, 500), st.integers(0, 500), st.sampled_from([0.001, 0.05, 0.5]))
def test_bounds_hold_the_rate_and_narrow_with_alpha(hits: int, misses: int, alpha: float) -> None:
    found = share(hits, hits + misses, alpha)
    assert 0 <= found.low <= found.rate <= found.high <= 1
    wider = share(hits, hits + misses, alpha / 10)
    assert wider.low <= found.low + 1e-9
    assert wider.high >= found.high - 1e-9


@pytest.mark.parametrize("chance", [0.02, 0.3, 0.9])
def test_looking_all_the_time_errs_no_more_than_promised(chance: float) -> None:
    """400 streams of 300 trials, looked at after each: the bounds miss in at most 5 %."""
    source = random.Random(7)
    missed = 0
    for _ in range(400):
        hits = 0
        for trial in range(1, 301):
            hits += source.random() < chance
            if trial % 5 == 0:
                found = share(hits, trial, 0.05)
                if not found.low <= chance <= found.high:
                    missed += 1
                    break
    assert missed / 400 <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / 400)


def test_a_sound_challenger_advances_and_a_failing_one_goes() -> None:
    plan = CanaryPlan()
    enough = canary.needed(plan)
    sound = Evidence(champion=Counts(requests=900), challenger=Counts(requests=enough))
    assert canary.judge(plan, sound).action == "advance"
    early = Evidence(challenger=Counts(requests=20))
    assert canary.judge(plan, early).action == "wait"
    for counts, said in (
        (Counts(requests=40, errors=20), "fails too often"),
        (Counts(requests=40, slow=20), "too slow"),
        (Counts(requests=40, nonsense=20), "make no sense"),
    ):
        judgement = canary.judge(plan, Evidence(challenger=counts))
        assert judgement.action == "refuse"
        assert said in judgement.reason


def test_labels_and_agreement_decide_too() -> None:
    plan = CanaryPlan()
    many = Counts(requests=1000)
    wrong = Evidence(challenger=many, champion_alone_right=60, challenger_alone_right=5)
    assert "wrong more often" in canary.judge(plan, wrong).reason
    even = Evidence(challenger=many, champion_alone_right=30, challenger_alone_right=30)
    assert canary.judge(plan, even).action == "advance"
    contrary = Evidence(challenger=many, compared=300, agreed=30)
    assert "contradicts" in canary.judge(plan, contrary).reason
    live = Evidence(
        challenger=many,
        champion_labelled=400,
        champion_right=360,
        challenger_labelled=400,
        challenger_right=280,
    )
    assert "wrong more often" in canary.judge(plan, live).reason
    assert canary.judge(CanaryPlan(quality_tolerance=0.2), live).action == "advance"
    assert canary.judge(CanaryPlan(labels=500, quality_tolerance=0.2), live).action == "wait"
    free = CanaryPlan(agreement=None)
    assert canary.judge(free, contrary).action == "advance"


def test_no_time_takes_the_place_of_a_steps_requests() -> None:
    plan = CanaryPlan(seconds=1.0, undecided="advance", patience_seconds=5.0, requests=10)
    cleared = canary.judge(plan, Evidence(challenger=Counts(requests=1000)))
    assert cleared.action == "advance"
    late = canary.Progress(seconds=1e6, exhausted=True)
    for progress, action, told in (
        (canary.Progress(), "wait", "replayed after 5 s"),
        (late, "wait", "nothing is logged"),
        (replace(late, seen=9, replayed=9), "wait", "9 logged rows"),
        (replace(late, seen=10, replayed=10), "advance", "no traffic came"),
        (replace(late, seen=9, live=9), "wait", "9 of 10 requests"),
        (replace(late, seen=9, live=9, tried_seconds=2.0), "advance", "still undecided"),
        (replace(late, seen=10, live=10), "advance", "0 failed"),
    ):
        found = canary.decided(plan, cleared, progress)
        assert (found.action, told in found.reason) == (action, True), found.reason
    assert canary.needed(replace(plan, tolerance=0.0)) == 10_000
    bakes = replace(plan, bake_seconds=1e7)
    assert canary.decided(bakes, cleared, replace(late, seen=10, live=10)).action == "wait"


def test_a_harmless_challenger_is_seldom_refused() -> None:
    """Errors of both at 1 %, looked at after every fifth request, 100 canaries."""
    source, plan, refused = random.Random(11), CanaryPlan(), 0
    for _ in range(100):
        mine = theirs = 0
        for number in range(1, 400):
            mine += source.random() < 0.01
            theirs += source.random() < 0.01
            if number % 5:
                continue
            judgement = canary.judge(
                plan,
                Evidence(
                    champion=Counts(requests=number, errors=theirs),
                    challenger=Counts(requests=number, errors=mine),
                ),
            )
            if judgement.action != "wait":
                refused += judgement.action == "refuse"
                break
    assert refused / 100 <= plan.alpha


def test_masks() -> None:
    signature = Signature(
        columns=(
            InputColumn(name="api_key", type="string"),
            InputColumn(name="note", type="string"),
            InputColumn(name="x", type="double"),
        )
    )
    kept = Recorder(signature).features(["abc", "https://me:secret@host/", 1.0])
    assert kept == {"api_key": "***", "note": "https://***@host/", "x": 1.0}
    assert Recorder(signature).features([None, None, None])["api_key"] is None


def test_exposition_escapes_and_adds_up() -> None:
    figures = exposition.Figures()
    labels = ('we"ird\\name\n', "d", "m", "1")
    for seconds in (0.0005, 0.003, 99.0):
        figures.observe(labels, 200, seconds)
    page = exposition.render(figures, {"athanor_predict_in_flight": ("Now.", 2)})
    assert 'endpoint="we\\"ird\\\\name\\n"' in page
    assert 'le="+Inf"} 3\n' in page
    assert 'le="0.005"} 2\n' in page
    assert "athanor_predict_in_flight 2\n" in page


def test_workers_follow_the_load_between_their_bounds() -> None:
    scaling = Scaling(min=0, max=4, concurrency=2.0, idle_seconds=10.0, cooldown_seconds=5.0)
    scaler = Scaler(scaling, 0.0, awake=False)
    assert scaler.asleep
    assert scaler.wake(1.0)
    assert not scaler.wake(1.1)
    assert scaler.wanted == 1
    for second in range(8):
        scaler.observe(2.0 + second / 4, in_flight=6)
    assert scaler.wanted == 3
    for second in range(12):
        scaler.observe(4.0 + second / 4, in_flight=100)
    assert scaler.wanted == 4
    for second in range(4):
        scaler.observe(7.0 + second, in_flight=1)
    assert scaler.wanted == 4  # a pause within the cooldown
    scaler.observe(12.1, in_flight=1)
    assert scaler.wanted == 1
    scaler.observe(20.0, in_flight=0, used=12.5)
    assert scaler.wanted == 1
    scaler.observe(22.6, in_flight=0, used=12.5)
    assert scaler.asleep


@given(
    st.lists(st.tuples(st.integers(0, 50), st.floats(0.01, 5.0)), max_size=60),
    st.integers(0, 3),
    st.integers(3, 6),
)
def test_workers_never_leave_their_bounds(
    loads: list[tuple[int, float]], least: int, most: int
) -> None:
    scaler, now = Scaler(Scaling(min=least, max=most), 0.0, awake=True), 0.0
    for in_flight, seconds in loads:
        now += seconds
        scaler.observe(now, in_flight)
        assert least <= scaler.wanted <= most
