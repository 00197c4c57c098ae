"""Writing targets in the format of the benchmark's ``eval_data_test.h5``."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy.typing as npt


def write_targets(path: Path, targets: Mapping[str, Mapping[str, npt.NDArray[Any]]]) -> None:
    """Write the targets of each group, by name, to a new HDF5 file that ``nlb_tools.evaluation.evaluate`` reads.

    Ragged arrays of integers have the dtype object and become arrays of arrays.
    """
    import h5py  # imported here: opening a prepared recording does not need it

    with h5py.File(path, "w") as file:
        for group, arrays in targets.items():
            for name, values in arrays.items():
                if values.dtype == object:
                    file.create_dataset(f"{group}/{name}", data=values, dtype=h5py.vlen_dtype(int))
                else:
                    file.create_dataset(
                        f"{group}/{name}", data=values, compression="gzip", compression_opts=1, shuffle=True
                    )
