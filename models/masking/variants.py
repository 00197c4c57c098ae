"""Mask variants and input sizes by the names that a search uses; ``masks`` and ``crops`` say what they do.

Imports no torch, so that commands that train nothing start at once.
"""

WHOLE, CROP = "DT", "dT"
INPUT_SIZES = (WHOLE, CROP)

SHAPES: dict[str, tuple[str, ...]] = {
    "dot": ("dot",),
    "strip": ("strip",),
    "line": ("line",),
    # Whole rows joined with the last bins, as the benchmark hides held-out neurons and forward bins.
    "L": ("line", "last_bins"),
}
"""The parts of each shape."""

PUBLISHED_VARIANTS = ("dot line", "dot strip line", "strip line", "dot L", "strip L")


def shapes_of(variant: str) -> tuple[str, ...]:
    """The shapes of a variant. Raises ValueError for text that is not different shapes with blanks between them."""
    shapes = tuple(variant.split())
    unknown = [shape for shape in shapes if shape not in SHAPES]
    if unknown or not shapes or len(set(shapes)) < len(shapes):
        raise ValueError(f"'{variant}' is no mask variant: write one or more of {', '.join(SHAPES)}, each once")
    return shapes
