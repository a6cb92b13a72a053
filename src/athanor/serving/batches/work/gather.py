"""The chunks' files, one behind the other, as the one file that becomes a dataset version."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from athanor.serving.batches.work import plan as plans
from athanor.serving.batches.work.score import ERRORS, chunk_path

RESULT = "result.parquet"


def gather(folder: str) -> dict[str, Any]:
    """Write the result's file, in the order of the input's rows; says its path, rows, errors.

    Raises: RuntimeError where rows are missing, which would be a mistake of ours.
    """
    home = Path(folder)
    plan = plans.read(home)
    rows, errors = 0, 0
    passing = home / f"{RESULT}.part"
    writer: pq.ParquetWriter | None = None
    try:
        for number in range(len(plan["chunks"])):
            with pq.ParquetFile(chunk_path(home, number)) as file:
                errors += int((file.metadata.metadata or {}).get(ERRORS, b"0"))
                if writer is None:
                    schema = file.schema_arrow.remove_metadata()
                    writer = pq.ParquetWriter(
                        passing, schema, compression="zstd", compression_level=1
                    )
                for group in range(file.num_row_groups):
                    table = file.read_row_group(group)
                    writer.write_table(table.cast(schema))
                    rows += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    if rows != plan["rows"]:
        message = f"{rows} rows were predicted of {plan['rows']}."
        raise RuntimeError(message)
    target = home / RESULT
    passing.replace(target)
    return {"path": str(target), "rows": rows, "errors": errors}
