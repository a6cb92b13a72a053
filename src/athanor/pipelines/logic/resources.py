"""Amounts of cores, memory and accelerators, as Kubernetes writes them."""

import re
from dataclasses import dataclass

from athanor.pipelines.ir.spec import Resources

_UNITS = {
    "": 1,
    **{unit: 1000**power for power, unit in enumerate(("k", "M", "G", "T", "P", "E"), 1)},
    **{unit: 1024**power for power, unit in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)},
    "K": 1000,
    "m": 1e-3,
}
_AMOUNT = re.compile(r"(?P<number>\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)\s*(?P<unit>[A-Za-z]*)")
_GIGA = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a task needs while it runs."""

    cores: float = 0.0
    """0 where nothing is said."""
    memory_bytes: int = 0
    """What it waits for and may not exceed; 0 where nothing is said."""
    accelerators: int = 0


def wanted_of(resources: Resources | None) -> Wanted:
    """What a container asks for: its limits, or its requests where it has none."""
    if resources is None:
        return Wanted()
    cores = (
        cores_of(resources.resource_cpu_limit)
        or resources.cpu_limit
        or cores_of(resources.resource_cpu_request)
        or resources.cpu_request
    )
    held = (
        bytes_of(resources.resource_memory_limit)
        or resources.memory_limit * _GIGA
        or bytes_of(resources.resource_memory_request)
        or resources.memory_request * _GIGA
    )
    accelerator = resources.accelerator
    count = 0.0
    if accelerator is not None:
        count = cores_of(accelerator.resource_count) or cores_of(str(accelerator.count))
    return Wanted(cores=cores, memory_bytes=int(held), accelerators=int(count))


def cores_of(amount: float | str) -> float:
    """`2`, `0.5` or `500m` as a number of cores; 0 for what is no amount."""
    return _number(amount)


def bytes_of(amount: float | str) -> float:
    """`512M`, `2Gi` or a number of bytes; 0 for what is no amount."""
    return _number(amount)


def _number(amount: float | str) -> float:
    if isinstance(amount, int | float):
        return float(amount)
    found = _AMOUNT.fullmatch(amount.strip().removesuffix("B") if amount else "")
    if found is None or found["unit"] not in _UNITS:
        return 0.0
    return float(found["number"]) * float(_UNITS[found["unit"]])
