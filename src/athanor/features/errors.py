"""What can go wrong with features, and what to do then."""

from collections.abc import Iterable, Mapping, Sequence

from athanor.kernel.errors import Conflict, Invalid, NotFound, Unavailable, Unprocessable, nearest
from athanor.kernel.wording import counted


class BadFeatureName(Invalid):
    """A name that can't be one."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(
            f"{name!r} can't name {what}.",
            hint="Letters, digits and _, a letter or _ first, no double __, at most 80 characters.",
        )


class EntityNotFound(NotFound):
    """No entity has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no entity {name!r}.", hint=_known(name, known, "entity"))


class ViewNotFound(NotFound):
    """No feature view has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"There is no feature view {name!r}.", hint=_known(name, known, "view"))


class FeatureNotFound(NotFound):
    """The view has no such feature."""

    def __init__(self, view: str, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"View {view!r} has no feature {name!r}.", hint=_known(name, known, "feature")
        )


class FeatureServiceNotFound(NotFound):
    """No feature service has this name."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(
            f"There is no feature service or view {name!r}.", hint=_known(name, known, "service")
        )


class ViewVersionNotFound(NotFound):
    """The view has no rows of this version."""

    def __init__(self, view: str, number: int | None) -> None:
        what = "no rows yet" if number is None else f"no version {number}"
        super().__init__(
            f"Feature view {view!r} has {what}.",
            hint=f"Read its source: athanor feature build {view}. "
            f"See what there is: athanor feature versions {view}",
        )


class TrainingSetNotFound(NotFound):
    """No training set has this name and version."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"There is no training set {reference!r}.",
            hint="See what there is: athanor feature sets",
        )


class TrainingSetErased(Conflict):
    """What the training set was made of went with the rows of a person."""

    def __init__(self, reference: str, gone: Sequence[str]) -> None:
        super().__init__(
            f"{reference} was erased: {', '.join(gone)} held rows of a person who was erased.",
            hint="It can't be made again. Make its next version of what is left: "
            f"athanor feature join {reference.partition('@')[0]} FEATURES ...",
            details={"training_set": reference, "erased": list(gone)},
        )


class BadView(Unprocessable):
    """A view's definition contradicts itself or what it reads."""

    def __init__(self, view: str, what: str, *, hint: str = "") -> None:
        super().__init__(
            f"Feature view {view!r}: {what}",
            hint=hint or "Mend the definition and apply it again; nothing was changed.",
            details={"view": view},
        )


class BadEntity(Unprocessable):
    """An entity's definition contradicts itself."""

    def __init__(self, entity: str, what: str) -> None:
        super().__init__(
            f"Entity {entity!r}: {what}",
            hint="Mend the definition and apply it again; nothing was changed.",
        )


class BadOnDemandView(Unprocessable):
    """An on-demand view's definition can't be computed."""

    def __init__(self, view: str, what: str, *, hint: str = "") -> None:
        super().__init__(
            f"On-demand view {view!r}: {what}",
            hint=hint or "Mend the definition and apply it again; nothing was changed.",
            details={"view": view},
        )


class BadFeatureService(Unprocessable):
    """A service's features do not go together."""

    def __init__(self, service: str, what: str, *, hint: str = "") -> None:
        super().__init__(
            f"Feature service {service!r}: {what}",
            hint=hint or "Mend the definition and apply it again; nothing was changed.",
        )


class BadFeatureReference(Invalid):
    """A text that names no feature."""

    def __init__(self, reference: str) -> None:
        super().__init__(
            f"{reference!r} names no features.",
            hint="Write VIEW, VIEW:FEATURE, PROJECT/VIEW:FEATURE, or a service's name.",
        )


class InUse(Conflict):
    """Something else is built on what should go."""

    def __init__(self, what: str, users: Sequence[str]) -> None:
        super().__init__(
            f"{what} is used by {', '.join(users[:10])}.",
            hint="Remove those first; nothing was changed.",
            details={"used_by": list(users)},
        )


class UnusableColumn(Unprocessable):
    """A column can't be a feature."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(
            f"Column {column!r} can't be a feature: {what}",
            hint="Name the features that are wanted, or shape the column in the view's SQL.",
            details={"column": column},
        )


class FeatureColumnMissing(Unprocessable):
    """A column that was named is not there."""

    def __init__(
        self, where: str, column: str, role: str, known: Sequence[str], *, say: str = ""
    ) -> None:
        listed = ", ".join(known[:30]) + (" ..." if len(known) > 30 else "")
        super().__init__(
            f"{where} has no column {column!r}, which should be {role}.",
            hint=" ".join(
                part
                for part in (say, nearest(column, known), f"The columns are: {listed}.")
                if part
            ),
            details={"column": column, "columns": list(known)},
        )


class KeyTypeMismatch(Unprocessable):
    """Keys of another type would silently match nothing."""

    def __init__(self, column: str, wanted: str, found: str) -> None:
        super().__init__(
            f"The key {column!r} should be of type {wanted}; it is {found}.",
            hint="Cast it: keys of two types would match nothing. "
            "Keys are of type integer, text, boolean, date or timestamp.",
            details={"column": column, "expected": wanted, "found": found},
        )


class BadInstant(Unprocessable):
    """A value that should be an instant is none."""

    def __init__(self, column: str, what: str) -> None:
        super().__init__(
            f"Column {column!r} should hold instants: {what}",
            hint="Give times or dates, or ISO 8601 texts (2026-01-05T12:00:00Z); naive is UTC.",
            details={"column": column},
        )


class InstantMissing(Unprocessable):
    """A row of the spine does not say as of when."""

    def __init__(self, column: str, row: int, count: int) -> None:
        super().__init__(
            f"Column {column!r} has no instant in row {row}"
            + (f" and {count - 1} more." if count > 1 else "."),
            hint="Every row needs the time as of which its features are looked up.",
            details={"column": column, "row": row, "count": count},
        )


class FeatureClash(Unprocessable):
    """Two features would have the name of one column."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(
            f"More than one column would be called {', '.join(map(repr, names[:10]))}.",
            hint="Ask for full names (VIEW__FEATURE): full_names=True, --full-names.",
            details={"columns": list(names)},
        )


class BadFeatureFormula(Unprocessable):
    """A formula or function goes beyond what on-demand features may do."""

    def __init__(self, what: str, *, line: int = 0) -> None:
        where = f" (line {line})" if line else ""
        super().__init__(
            f"{what}{where}",
            hint="Arithmetic, comparisons, and/or/not, if/else, texts, lists, dicts and "
            "the functions of on-demand views may be used; imports, loops and attributes not.",
            details={"line": line},
        )


class FormulaFailed(Unprocessable):
    """A formula failed on a row."""

    def __init__(self, view: str, what: str) -> None:
        super().__init__(
            f"On-demand view {view!r} failed on a row: {what}",
            hint="Guard against it in the formula: `a / b if b else None`.",
            details={"view": view},
        )


class BadPush(Unprocessable):
    """Pushed rows do not fit their view."""

    def __init__(self, view: str, row: int, what: str, *, hint: str = "") -> None:
        super().__init__(
            f"Row {row} pushed to view {view!r}: {what}",
            hint=hint
            or "Give each row its keys, its event time (ISO 8601) and its features. "
            "Nothing was kept.",
            details={"view": view, "row": row},
        )


class NotATable(Invalid):
    """Rows to look features up for were given as something else."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"The rows to look features up for are no table but {type(given).__name__}: "
            f"{f'{given!r}'[:60]}.",
            hint="Give the features' names first, then the rows as a DataFrame or a list of dicts.",
        )


class NotNames(Invalid):
    """Features were named by something else than texts."""

    def __init__(self, given: object) -> None:
        super().__init__(
            f"Features are named by texts, not by {type(given).__name__}.",
            hint="Give their names first, such as ['customers:visits'], then the rows.",
        )


class PushedRowsUnreadable(Unprocessable):
    """Rows that were pushed before do not go together, or not with what was defined since."""

    def __init__(self, view: str, rows: Sequence[tuple[int, str]]) -> None:
        (number, what), others = rows[0], len(rows) - 1
        more = f" and {counted(others, 'other')}" if others else ""
        told = " ".join(str(seq) for seq, _ in rows[:50])
        super().__init__(
            f"Row {number}{more} among those pushed to view {view!r} can't be read: {what}",
            hint="Declare the type that they have (entities: keys, views: features) and apply it, "
            f"or drop them: athanor feature drop {view} {told}"
            + (" ... (all of them stand in the details: rows)" if others >= 50 else ""),
            details={"view": view, "rows": [seq for seq, _ in rows]},
        )


class PushedRowNotFound(NotFound):
    """No pushed row of this number waits to be read into a version."""

    def __init__(self, view: str, number: int) -> None:
        super().__init__(
            f"No row {number} waits among those pushed to view {view!r}.",
            hint="Rows that a version holds already can't be dropped; nothing was changed.",
            details={"view": view, "row": number},
        )


class BadOnlineRow(Unprocessable):
    """A row of an online question lacks a key, or has one of another type."""

    def __init__(self, row: int, what: str, *, hint: str = "") -> None:
        super().__init__(
            f"Row {row}: {what}",
            hint=hint or "Give each row the keys of every entity, in their types.",
            details={"row": row},
        )


class BadTrainingRequest(Invalid):
    """The request in the address is no TrainingRequest."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The request can't be read: {what}",
            hint='Send it as JSON: {"features": ["SERVICE"], "at": "event_timestamp"}',
        )


class NoSpine(Invalid):
    """Nothing says which rows features are looked up for."""

    def __init__(self) -> None:
        super().__init__(
            "Nothing says which rows features are to be looked up for.",
            hint="Name a dataset or a query, or send a table of keys and instants.",
        )


class UnreadableTable(Unprocessable):
    """A table that was sent can't be read."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The table can't be read: {what}",
            hint="Send Parquet, Arrow, JSON lines or CSV with a header.",
        )


class NoFeaturesNamed(Invalid):
    """Nothing says which features are wanted."""

    def __init__(self) -> None:
        super().__init__(
            "No features are named.", hint="Name a service, VIEW or VIEW:FEATURE, or several."
        )


class ViewRefused(Unprocessable):
    """A view's rows break its tests."""

    def __init__(self, view: str, number: int, messages: Sequence[str]) -> None:
        super().__init__(
            f"Version {number} of view {view!r} is not used: {' '.join(messages)}",
            hint=f"Mend the source, or the tests. See: athanor feature versions {view}",
            details={"view": view, "version": number},
        )


class ViewCodeFailed(Unprocessable):
    """A view's own code or SQL failed."""

    def __init__(self, view: str, what: str) -> None:
        super().__init__(
            f"The source of view {view!r} failed: {what}",
            hint="Mend it and apply the definition again.",
            details={"view": view},
        )


class ViewBusy(Conflict):
    """Somebody else builds or materializes the view."""

    def __init__(self, view: str) -> None:
        super().__init__(
            f"Feature view {view!r} is being built or materialized by somebody else.",
            hint="Try again when that has ended.",
        )


class NotAllOnline(Unprocessable):
    """Some views could not be brought online; the others were."""

    def __init__(self, failed: Mapping[str, str], online: Sequence[str]) -> None:
        told = " ".join(f"{view}: {message}" for view, message in list(failed.items())[:10])
        super().__init__(
            f"{len(failed)} of {len(failed) + len(online)} views could not be brought online. "
            + told,
            hint="The others were. Mend these, then: athanor feature materialize "
            + " ".join(failed),
            details={"failed": dict(failed), "online": list(online)},
        )


class ParityBroken(Conflict):
    """The endpoint would get other features than training had."""

    def __init__(self, service: str, what: str, examples: Sequence[object] = ()) -> None:
        super().__init__(
            f"Features of {service!r} would differ between training and the endpoint: {what}",
            hint="Bring them online and deploy again: athanor feature materialize",
            details={"examples": list(examples)},
        )


class NotPushable(Conflict):
    """Online reads need what the view does not have."""

    def __init__(self, view: str) -> None:
        super().__init__(
            f"Feature view {view!r} is not for online use.",
            hint="Apply it with online=True, or push to the offline history alone.",
        )


class OnlineStoreUnavailable(Unavailable):
    """The online store does not answer, or refuses."""

    def __init__(self, address: str, reason: str, hint: str = "") -> None:
        super().__init__(
            f"The online store at {address} can't be used: {reason}",
            hint=hint or "See that it runs, and what online_url says: athanor settings",
            details={"address": address},
        )


class BadFeastRepository(Unprocessable):
    """A Feast repository that can't be read."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The Feast repository can't be read: {what}",
            hint="Give the folder that holds its Python definitions (with feature_store.yaml).",
        )


def _known(name: str, known: Iterable[str], what: str) -> str:
    listed = sorted(known)
    if not listed:
        return f"No {what} is defined yet: athanor feature apply FILE"
    return nearest(name, listed) or f"There are: {', '.join(listed[:40])}."
