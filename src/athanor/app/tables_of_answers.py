"""The answer to a query as an Arrow table."""

import pyarrow as pa

from athanor.client import Client
from athanor.data import Query

_MOST_ROWS = 1_000_000


def asked(client: Client, query: str) -> pa.Table:
    """The rows that a SELECT gives, at most a million, with their columns.

    Raises: whatever is wrong with the query.
    """
    answer = client.data.query(Query(sql=query, limit=_MOST_ROWS))
    rows = answer.rows
    columns = {
        name: pa.array([row[place] for row in rows]) for place, name in enumerate(answer.columns)
    }
    return pa.table(columns)
