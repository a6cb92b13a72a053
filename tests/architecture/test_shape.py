"""Rooms look alike: who knows one knows all."""

import ast

from tests.architecture import house

VAGUE = {"utils", "util", "helpers", "helper", "common", "misc", "shared"}


def _is_record(node: ast.ClassDef) -> bool:
    """Whether a class is decorated as a dataclass."""
    return any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)


def test_no_module_has_a_vague_name() -> None:
    vague = [
        house.place(file) for file in house.python_files() if VAGUE & {file.stem, file.parent.name}
    ]
    assert vague == []


def test_every_import_stands_at_the_top() -> None:
    """Inside a function only with `# noqa: PLC0415 - reason` at the first one."""
    hidden = []
    for file in house.python_files():
        lines = file.read_text("utf-8").splitlines()
        for function in house.functions(house.parsed(file)):
            imports = [
                node.lineno
                for node in house.statements(function)
                if isinstance(node, ast.Import | ast.ImportFrom)
            ]
            reason = lines[min(imports) - 1].partition("# noqa: PLC0415")[2] if imports else ""
            if imports and len(reason.split()) < 3:
                hidden.append(house.place(file, min(imports)))
    assert hidden == []


def test_records_are_frozen_slotted_and_made_by_keyword() -> None:
    loose = []
    for room in house.rooms():
        for file in house.part(room, "types"):
            for node in house.classes(house.parsed(file)):
                marks = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
                wanted = ("frozen=True", "slots=True", "kw_only=True")
                if _is_record(node) and not all(mark in marks for mark in wanted):
                    loose.append(f"{house.place(file, node.lineno)} {node.name}")
    assert loose == []


def test_tables_carry_their_rooms_name() -> None:
    strange = []
    for room in house.rooms():
        for file in house.part(room, "store"):
            for node in ast.walk(house.parsed(file)):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Table", "sa.Table"}:
                    name = ast.literal_eval(node.args[0])
                    if not name.startswith(f"{room}_"):
                        strange.append(f"{house.place(file, node.lineno)} {name}")
    assert strange == []


def test_only_stores_speak_sql() -> None:
    """Queries of the metadata database stand in stores, none elsewhere."""
    speakers = []
    for room in house.rooms():
        stores = set(house.part(room, "store"))
        for file in house.python_files(house.SOURCE / room):
            if room == "kernel" or file in stores:
                continue
            for node in ast.walk(house.parsed(file)):
                if isinstance(node, ast.ImportFrom | ast.Import):
                    module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                    if (module or "").split(".")[0] == "sqlalchemy":
                        speakers.append(house.place(file, node.lineno))
    assert speakers == []
