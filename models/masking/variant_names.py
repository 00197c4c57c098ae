"""Names of mask variants and input sizes. ``masks`` and ``crops`` implement them.

This module does not import torch, so that commands without training start quickly.
"""

WHOLE, CROP = "DT", "dT"
INPUT_SIZES = (WHOLE, CROP)

SHAPES: dict[str, tuple[str, ...]] = {
    "dot": ("dot",),
    "strip": ("strip",),
    "line": ("line",),
    # Whole rows and the last bins, as the benchmark hides held-out neurons and forward bins.
    "L": ("line", "last_bins"),
    "span": ("span",),
}
"""The parts of each shape."""

PUBLISHED_VARIANTS = ("dot line", "dot strip line", "strip line", "dot L", "strip L")

PUBLISHED_SHAPES = ("dot", "strip", "line", "L")
"""The shapes of the published variants."""


def shapes_of(variant: str) -> tuple[str, ...]:
    """The shapes of a variant. Raises ValueError unless it is different shapes, separated by spaces."""
    shapes = tuple(variant.split())
    unknown = [shape for shape in shapes if shape not in SHAPES]
    if unknown or not shapes or len(set(shapes)) < len(shapes):
        raise ValueError(f"'{variant}' is not a mask variant: write one or more of {', '.join(SHAPES)}, each once")
    return shapes
