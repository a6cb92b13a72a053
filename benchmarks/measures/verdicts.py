"""What the serving benchmark promises, and whether figures keep it.

Figures are {subject: {connections: {"cpu_us", "rate", "p99", "wrong"}}} of one model.
"""

from collections.abc import Iterator
from typing import Any, TypeAlias

PEER_NAMES = ("mlflow", "mlserver", "bentoml", "ray", "litserve", "fastapi")
FOLDED_RATIO, TREES_RATIO, NATIVE_RATIO = 2.0, 20.0, 15.0

Figures: TypeAlias = dict[str, dict[str, Any]]


def kept(found: Figures) -> list[str]:
    """The promises that were not kept; prints each with its figure."""
    broken = []
    for name, by in found.items():
        if name not in PEER_NAMES and any(item["wrong"] for item in by.values()):
            broken.append(f"{name}: wrong answers")
    for text, good in _judged(found):
        print(f"  {text}")
        if not good:
            broken.append(text)
    return broken


def _judged(found: Figures) -> Iterator[tuple[str, bool]]:
    counts = sorted(next(iter(found.values())), key=int)
    most = counts[-1]
    if {"athanor folded", "raw echo"} <= set(found):
        ratio = found["athanor folded"][most]["cpu_us"] / found["raw echo"][most]["cpu_us"]
        yield (
            f"folded: {ratio:.2f} times the raw echo's CPU (at most {FOLDED_RATIO:g})",
            (ratio <= FOLDED_RATIO),
        )
    peers = {  # those that answered
        name: by for name, by in found.items()
        if name in PEER_NAMES and all(by[count]["rate"] > 0 for count in counts)
    }  # fmt: skip
    ours = {name: by for name, by in found.items() if name.startswith("athanor ")}
    if not peers:
        return
    for name, by in ours.items():
        wanted = {"athanor trees": TREES_RATIO, "athanor native": NATIVE_RATIO}.get(name)
        if wanted:
            ratio = by[most]["rate"] / _best(peers, most)
            cheaper = min(item[most]["cpu_us"] for item in peers.values()) / by[most]["cpu_us"]
            told = f"{name}: {ratio:.1f} times the best peer's throughput at {most} connections"
            yield f"{told} (at least {wanted:g}), {cheaper:.1f} times less CPU", ratio >= wanted
        if name == "athanor native" and "1" in counts:
            ratio = by["1"]["rate"] / _best(peers, "1")
            yield f"{name}: {ratio:.2f} times the best peer's at 1 (at least 1)", ratio >= 1.0
        for count in counts:
            least = min(item[count]["p99"] for item in peers.values())
            told = f"{name}: p99 {by[count]['p99']:.1f} ms at {count}, the best peer's {least:.1f}"
            yield told, by[count]["p99"] < least


def _best(peers: Figures, count: str) -> float:
    return max(float(by[count]["rate"]) for by in peers.values())
