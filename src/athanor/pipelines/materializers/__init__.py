"""How values of common Python types become artifacts and values again.

Each is named by an import string and loaded in the step's own process, where a value is at hand.
"""

DEFAULT: tuple[str, ...] = (
    "athanor.pipelines.materializers.files:PathMaterializer",
    "athanor.pipelines.materializers.value:ValueMaterializer",
    "athanor.pipelines.materializers.table:TableMaterializer",
    "athanor.pipelines.materializers.array:ArrayMaterializer",
    "athanor.pipelines.materializers.array:SeriesMaterializer",
)
"""The materializers that always stand ready, in the order in which they are asked."""
