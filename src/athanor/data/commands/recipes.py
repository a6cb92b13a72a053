"""`athanor recipe`: clean and prepare tables by lists of operations, without code."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from athanor.data.client.recipes import RecipesClient, Steps
from athanor.data.errors.recipes import BadRecipeFile
from athanor.data.types.recipes import ColumnEffect, ExportForm, Recipe
from athanor.kernel.console import Json, emit, say, table, transport

commands = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Recipes: prepare tables without code."
)
Reference = Annotated[str, typer.Argument(metavar="RECIPE", help="NAME or NAME@2.")]
Data = Annotated[str, typer.Argument(metavar="DATASET", help="NAME or NAME@3.")]
_SHOWN = 8
_ORDER = {"added": 0, "changed": 1, "removed": 2, "same": 3}


@commands.callback()
def _group() -> None:
    """Recipes: lists of typed operations, as SQL, as pandas, and row by row in serving."""


@commands.command()
def operations(
    name: Annotated[str, typer.Argument(help="One operation, in full.")] = "",
    *,
    json: Json = False,
) -> None:
    """Print the operations that a step may be, or what one of them takes."""
    found = RecipesClient(transport()).operations()
    chosen = [item for item in found if not name or item.name == name]
    if not chosen:
        raise typer.BadParameter(f"There is no operation {name!r}: athanor recipe operations")
    if json:
        emit(chosen)
    elif not name:
        table(("operation", "group", "what it does", "in serving"),
              [(item.name, item.group, item.words, item.serving) for item in chosen])  # fmt: skip
    else:
        [item] = chosen
        say(item.words)
        table(
            ("parameter", "kind", "default", "what it is"),
            [
                (
                    p.name,
                    " or ".join(p.choices) or p.kind,
                    "needed" if p.required else _json(p.default),
                    p.words,
                )
                for p in item.parameters
            ],
        )
        say(f"Example: {_json({item.name: item.example})}")


@commands.command()
def functions(*, json: Json = False) -> None:
    """Print the functions of formulas."""
    found = RecipesClient(transport()).functions()
    if json:
        emit(found)
        return
    table(("function", "what it gives"), [(item.name, item.words) for item in found])


@commands.command()
def save(
    name: Annotated[str, typer.Argument(help="The recipe's name.")],
    file: Annotated[Path, typer.Argument(help='JSON: [{"fill": {...}}, ...] or {"steps": [...]}.')],
    *,
    description: Annotated[str, typer.Option(help="What it is for.")] = "",
    json: Json = False,
) -> None:
    """Keep the steps in FILE as the next version of recipe NAME."""
    made = RecipesClient(transport()).save(name, _steps(file), description=description)
    if json:
        emit(made)
        return
    say(f"{made.name} version {made.number}: {len(made.steps)} steps")


@commands.command("list")
def list_recipes(*, json: Json = False) -> None:
    """Print all recipes."""
    found = RecipesClient(transport()).recipes()
    if json:
        emit(found)
        return
    table(
        ("recipe", "version", "steps", "description", "made"),
        [_line(item) for item in found],
        right=("version", "steps"),
        empty="No recipes yet. Make one: athanor recipe save NAME FILE.json",
    )


@commands.command()
def show(reference: Reference, *, json: Json = False) -> None:
    """Print the steps of a recipe."""
    found = RecipesClient(transport()).recipe(reference)
    if json:
        emit(found)
        return
    say(f"{found.name} version {found.number} ({found.digest[:19]}) {found.description}".rstrip())
    table(("step", "operation", "parameters"),
          [(n, step.operation, _json(step.parameters)) for n, step in enumerate(found.steps, 1)],
          right=("step",))  # fmt: skip


@commands.command()
def history(name: Annotated[str, typer.Argument()], *, json: Json = False) -> None:
    """Print all versions of a recipe, newest first."""
    found = RecipesClient(transport()).history(name)
    if json:
        emit(found)
        return
    table(("recipe", "version", "steps", "description", "made"), map(_line, found),
          right=("version", "steps"))  # fmt: skip


@commands.command()
def remove(name: Annotated[str, typer.Argument()]) -> None:
    """List a recipe no more; what was made with it stays."""
    RecipesClient(transport()).remove(name)
    say(f"{name} is removed.")


@commands.command()
def preview(
    recipe: Annotated[str, typer.Argument(help="NAME, NAME@2, or a JSON file of steps.")],
    dataset: Data,
    *,
    step: Annotated[int | None, typer.Option(help="Only up to this step.")] = None,
    sample: Annotated[int, typer.Option(min=1, help="Rows that are looked at.")] = 10_000,
    rows: Annotated[int, typer.Option(min=0, max=100, help="Rows that are shown.")] = 5,
    json: Json = False,
) -> None:
    """Try a recipe on a sample, and print what each step does."""
    steps: str | Steps = _steps(Path(recipe)) if recipe.endswith(".json") else recipe
    client = RecipesClient(transport())
    found = client.preview(steps, dataset, upto=step, sample=sample, rows=rows)
    if json:
        emit(found)
        return
    say(f"{found.sampled} rows of {found.dataset}")
    for item in found.steps:
        say(f"{item.number}. {item.words}: {item.rows_before} rows to {item.rows_after}")
        told = sorted(item.columns, key=lambda effect: _ORDER[effect.change])
        for effect in told[:_SHOWN]:
            say(f"   {_effect(effect, item.rows_after)}")
        if len(told) > _SHOWN:
            say(f"   and {len(told) - _SHOWN} more: --json")
    # What the recipe made comes first: it is what one looks for, and wide tables end early.
    made = {effect.column for item in found.steps for effect in item.columns}
    names = [column.name for column in found.columns]
    names.sort(key=lambda name: name not in made)
    table(names[:_SHOWN], [[_cell(row.get(name)) for name in names[:_SHOWN]] for row in found.rows])
    if names[_SHOWN:]:
        say(f"And {', '.join(names[_SHOWN:])}")


@commands.command()
def fit(reference: Reference, dataset: Data, *, json: Json = False) -> None:
    """Let a recipe learn from a dataset, and keep what it learnt."""
    found = RecipesClient(transport()).fit(reference, dataset)
    if json:
        emit(found)
        return
    say(f"{found.recipe} learnt from {dataset}: {found.artifact_id}")
    for number, learned in found.learned.items():
        say(f"{number}. {_cell(_json(learned))}")


@commands.command()
def apply(
    reference: Reference,
    dataset: Data,
    *,
    into: Annotated[str, typer.Option(help="The dataset that it makes a version of.")] = "",
    learned_from: Annotated[str, typer.Option(help="The dataset that it learns from.")] = "",
    fitted: Annotated[str, typer.Option(help="The id of a fitted recipe.")] = "",
    json: Json = False,
) -> None:
    """Make a version of another dataset, or a table, of DATASET."""
    client = RecipesClient(transport())
    done = client.apply(reference, dataset, into=into, learned_from=learned_from, fitted=fitted)
    if json:
        emit(done)
    else:
        where = f"{done.dataset} ({done.state})" if done.dataset else f"table {done.artifact_id}"
        say(f"{done.recipe} of {done.source}: {where}, {done.rows} rows, {done.digest[:19]}")
    if done.state == "quarantined":
        raise typer.Exit(1)


@commands.command()
def export(
    reference: Reference,
    dataset: Data,
    *,
    form: Annotated[str, typer.Option("--as", help="sql, pandas or json.")] = "sql",
    out: Annotated[Path | None, typer.Option(help="A file; else it is printed.")] = None,
) -> None:
    """Print a recipe as SQL or pandas, what it learns from DATASET standing in it as values."""
    if form not in {"sql", "pandas", "json"}:
        raise typer.BadParameter(f"{form!r} is no form: sql, pandas or json.")
    chosen: ExportForm = "pandas" if form == "pandas" else "json" if form == "json" else "sql"
    found = RecipesClient(transport()).export(reference, dataset, chosen)
    if out is None:
        print(found.code, end="")
        return
    out.write_text(found.code, "utf-8")
    say(f"{out}: {found.recipe} as {found.form}")


@commands.command()
def verify(reference: Reference, dataset: Data, *, json: Json = False) -> None:
    """Carry a recipe out as SQL, as pandas and row by row, and compare the digests."""
    found = RecipesClient(transport()).verify(reference, dataset)
    if json:
        emit(found)
    else:
        table(("form", "digest"), [("sql", found.sql), ("pandas", found.pandas),
                                   ("row by row", found.by_row)])  # fmt: skip
        say(f"{found.rows} rows; the forms are {'equal' if found.equal else 'not equal'}.")
    if not found.equal:
        raise typer.Exit(1)


@commands.command()
def transform(
    fitted: Annotated[str, typer.Argument(help="The id of a fitted recipe.")],
    file: Annotated[Path, typer.Argument(help="A JSON file: a list of rows.")],
) -> None:
    """Prepare rows one by one, as serving does, and print them as JSON."""
    rows = _read(file)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadRecipeFile(str(file), "a list of rows, [{...}, ...], is expected.")
    emit(RecipesClient(transport()).transform(fitted, rows))


def _steps(file: Path) -> Steps:
    found = _read(file)
    steps = found.get("steps") if isinstance(found, dict) and "steps" in found else found
    if isinstance(steps, dict):
        steps = [{name: given} for name, given in steps.items()]
    if not isinstance(steps, list) or not all(isinstance(item, dict) for item in steps):
        raise BadRecipeFile(str(file), 'a list of steps, [{"fill": {...}}, ...], is expected.')
    for item in steps:
        bare = "operation" in item
        values = [item.get("parameters") or {}] if bare else list(item.values())
        if not all(isinstance(value, dict) for value in values):
            raise BadRecipeFile(str(file), f"{_json(item)} is no step.")
    return steps


def _read(file: Path) -> Any:
    try:
        return msgspec.json.decode(file.read_bytes())
    except FileNotFoundError:
        raise BadRecipeFile(str(file), "there is no such file.") from None
    except OSError as error:
        raise BadRecipeFile(str(file), f"it can't be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise BadRecipeFile(str(file), f"it can't be read as JSON: {error}.") from error


def _line(item: Recipe) -> tuple[Any, ...]:
    made = f"{item.created_at:%Y-%m-%d %H:%M}"
    return item.name, item.number, len(item.steps), item.description, made


def _effect(effect: ColumnEffect, rows: int) -> str:
    if effect.change != "changed":
        words = f"{effect.column}: {effect.change} ({effect.kind_after or effect.kind_before})"
        return (
            f"{words}, missing in {effect.missing_after} of {rows}"
            if effect.missing_after
            else words
        )
    parts = []
    for words, before, after in (
        ("kind", effect.kind_before, effect.kind_after),
        ("missing", effect.missing_before, effect.missing_after),
        ("distinct", effect.distinct_before, effect.distinct_after),
        ("mean", effect.mean_before, effect.mean_after),
        ("least", effect.minimum_before, effect.minimum_after),
        ("greatest", effect.maximum_before, effect.maximum_after),
    ):
        if _cell(before) != _cell(after):
            parts.append(f"{words} {_cell(before)} to {_cell(after)}")
    return f"{effect.column}: {', '.join(parts)}"


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    text = "" if value is None else str(value)
    return text if len(text) <= 60 else text[:59] + "…"
