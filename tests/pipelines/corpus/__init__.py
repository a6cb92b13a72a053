"""Small pipelines that cover every feature of the engine, with what each must give."""

from tests.pipelines.corpus import branches, exits, loops, nested, tables, values
from tests.pipelines.corpus.cases import Case

CASES: list[Case] = [
    *values.CASES,
    *branches.CASES,
    *loops.CASES,
    *exits.CASES,
    *nested.CASES,
    *tables.CASES,
]
