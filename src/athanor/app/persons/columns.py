"""The columns by which somebody may be asked for: whether a name is one of them, or a slip."""

from athanor.app.persons.keyed import KeyHistory
from athanor.data.service.persons import DatasetHolder, names_key
from athanor.features.store import SqlDefinitionStore
from athanor.kernel import Database, NotFound, Principal, nearest
from athanor.kernel.holder import Person
from athanor.serving import SqlEndpointStore


class ColumnUnknown(NotFound):
    """Nothing that is held has a column of this name, so nobody can be found by it."""

    def __init__(self, column: str, known: set[str]) -> None:
        listed = sorted(known)[:20]
        some = f"There are: {', '.join(listed)}" if listed else "Nothing has columns here yet."
        super().__init__(
            f"No dataset, feature or endpoint has a column {column!r}.",
            hint=nearest(column, known) or some,
        )


class Columns:
    """The columns of datasets, of features and their entities, and of endpoints."""

    def __init__(self, rows: DatasetHolder, database: Database, keys: KeyHistory) -> None:
        self._rows = rows
        self._keys = keys
        self._endpoints = SqlEndpointStore(database)
        self._definitions = SqlDefinitionStore(database)

    def check(self, person: Person, who: Principal) -> None:
        """Return if the column is known.

        Raises: ColumnUnknown.
        """
        versions = [version for _, version in self._rows.versions(person, who)]
        if any(names_key(version, person.column) for version in versions):
            return
        known = {column.name for version in versions for column in version.columns}
        known |= {span["column"] for span in self._keys.spans()} - {""}
        for endpoint in self._endpoints.all():
            for deployment in endpoint.deployments:
                known |= set(deployment.signature.names)
        for entity in self._definitions.listed("entity"):
            known |= {entity.name, *entity.columns}
        for view in self._definitions.listed("view"):
            known |= {item.name for item in view.features}
        if person.column not in known:
            raise ColumnUnknown(person.column, known)
