"""Which tasks may begin: as many as there are slots, cores, memory and accelerators for."""

import os
from pathlib import Path

from athanor.pipelines.errors import NotEnoughResources
from athanor.pipelines.ir.spec import Resources
from athanor.pipelines.logic.resources import Wanted, bytes_of, wanted_of

_GIGA = 1e9
_SAID = "ATHANOR_GPUS"


def machine() -> Wanted:
    """What this machine has."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        memory = 0
    return Wanted(
        cores=float(os.cpu_count() or 1), memory_bytes=memory, accelerators=_accelerators()
    )


class Room:
    """What is free. Its users see to it that one thread asks at a time."""

    def __init__(self, there: Wanted, slots: int) -> None:
        self._there = there
        self._slots = slots
        self._taken: dict[str, Wanted] = {}

    @property
    def full(self) -> bool:
        """Whether no task at all may begin."""
        return len(self._taken) >= self._slots

    @property
    def tasks(self) -> int:
        """How many tasks have room."""
        return len(self._taken)

    def fits(self, wanted: Wanted) -> bool:
        """Whether a task may begin now."""
        taken = self._taken.values()
        memory = sum(item.memory_bytes for item in taken) + wanted.memory_bytes
        return (
            not self.full
            and sum(item.cores for item in taken) + wanted.cores <= self._there.cores
            and (memory <= self._there.memory_bytes or not wanted.memory_bytes)
            and sum(item.accelerators for item in taken) + wanted.accelerators
            <= self._there.accelerators
        )

    def take(self, task: str, wanted: Wanted) -> None:
        """Give a task its room."""
        self._taken[task] = wanted

    def leave(self, task: str) -> None:
        """Take it back."""
        self._taken.pop(task, None)

    def asked(self, step: str, resources: Resources | None) -> Wanted:
        """What a task takes here: limits beyond the machine are no more than the machine.

        A machine without any accelerator runs steps that ask for some without them, as a laptop
        must, unless `ATHANOR_GPUS=0` forbids it.
        Raises: NotEnoughResources where it needs memory or accelerators that are not there.
        """
        wanted = wanted_of(resources)
        there = self._there
        needed = 0.0
        if resources is not None:
            said = bytes_of(resources.resource_memory_request)
            needed = said or resources.memory_request * _GIGA
        if needed > there.memory_bytes > 0:
            amounts = (f"{needed / _GIGA:.1f} GB", f"{there.memory_bytes / _GIGA:.1f} GB")
            raise NotEnoughResources(step, "memory", *amounts)
        accelerators = wanted.accelerators
        if accelerators > there.accelerators:
            if there.accelerators or _SAID in os.environ:
                count = str(there.accelerators)
                raise NotEnoughResources(step, "accelerators", str(accelerators), count)
            accelerators = 0
        return Wanted(
            cores=min(wanted.cores, there.cores),
            memory_bytes=min(wanted.memory_bytes, there.memory_bytes or wanted.memory_bytes),
            accelerators=accelerators,
        )


def _accelerators() -> int:
    """The accelerators of this machine; `ATHANOR_GPUS` says it where they are not seen."""
    said = os.environ.get(_SAID, "")
    if said.isdigit():
        return int(said)
    return len([path for path in Path("/dev").glob("nvidia[0-9]*") if path.name[6:].isdigit()])
