"""An import-linter contract of our own: rooms are entered by their front doors."""

from collections.abc import Iterator
from typing import cast

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class FrontDoors(Contract):
    """`athanor.<room>.<inner>` is imported by that room alone.

    Options:
        open_rooms: rooms whose modules are all front doors.
        insiders: rooms that may go inside every other one.
        side_doors: `room.package`, a second way into a room.
        joined: `importer -> inner`, a room that may import that inner module of every room.
    """

    type_name = "front_doors"

    open_rooms = fields.ListField(subfield=fields.StringField(), required=False)
    insiders = fields.ListField(subfield=fields.StringField(), required=False)
    side_doors = fields.ListField(subfield=fields.StringField(), required=False)
    joined = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Find each import that goes past a front door."""
        trespasses = sorted(self._trespasses(graph))
        return ContractCheck(kept=not trespasses, metadata={"trespasses": trespasses})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print what `check` found."""
        for importer, imported in check.metadata["trespasses"]:
            output.print_error(f"{importer} imports {imported}", bold=False)
        output.print("Import the name from the room's package; its __init__.py re-exports it.")

    def _trespasses(self, graph: ImportGraph) -> Iterator[tuple[str, str]]:
        open_rooms = set(cast("list[str] | None", self.open_rooms) or ())
        insiders = set(cast("list[str] | None", self.insiders) or ())
        side_doors = set(cast("list[str] | None", self.side_doors) or ())
        joined = set(cast("list[str] | None", self.joined) or ())
        for imported in graph.modules:
            parts = imported.split(".")
            if parts[0] != "athanor" or len(parts) <= 2 or parts[1] in open_rooms:
                continue
            if ".".join(parts[1:]) in side_doors:
                continue
            for importer in graph.find_modules_that_directly_import(imported):
                if importer == "athanor":
                    continue  # it only names what it loads when it is asked for
                room = importer.split(".")[1]
                allowed = room in {parts[1], *insiders} or f"{room} -> {parts[2]}" in joined
                if not allowed:
                    yield importer, imported
