"""The first share of a file's rows: what was known up to then."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pyarrow as pa

from athanor.data.work.reading import Reading, Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRows:
    """The first rows of others, in the order of a column, or in theirs where it is ""."""

    rows: Rows
    count: int
    order: str

    def schema(self) -> pa.Schema:
        """The columns with their types."""
        return self.rows.schema()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows. With an order, the whole file is held in memory to be sorted."""
        if self.order:
            everything = pa.Table.from_batches(self.rows.batches(), schema=self.schema())
            ordered = everything.sort_by([(self.order, "ascending")])
            yield from ordered.slice(0, self.count).to_batches()
            return
        left = self.count
        for batch in self.rows.batches():
            yield batch.slice(0, left)
            left -= min(left, batch.num_rows)
            if not left:
                return


def first_of(reading: Reading, share: float, order: str) -> Reading:
    """A reading of the first share of its rows (0 to 1), and the note that says so."""
    count = int(reading.count * share)
    by = f"by {order!r}" if order else "in the file's order"
    note = f"Only the first {share:.0%} of the rows {by} were taken: {count} of {reading.count}."
    return replace(
        reading,
        rows=FirstRows(rows=reading.rows, count=count, order=order),
        count=count,
        notes=(*reading.notes, note),
    )
