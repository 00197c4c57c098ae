"""Arrays in NumPy's .npz files and in MATLAB's .mat files, v5 to v7.3, as nlb_tools' or lfads-torch's arrays."""

import zipfile
from pathlib import Path

import numpy as np

from nlb_search.data.errors import DataError
from nlb_search.data.own.arrays.matlab_files import arrays_of_mat_5, arrays_of_mat_73
from nlb_search.data.source import Array

_ZIP, _MAT_5, _MAT_73 = b"PK\x03\x04", b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file"


def arrays_in(path: Path) -> dict[str, Array] | None:
    """The arrays in a .npz or .mat file by name, or None if the file is of neither kind, whatever its name.

    Raises DataError if it is damaged, or has an array of Python objects.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(_MAT_5))
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check its file permissions") from error
    if start.startswith(_ZIP):
        return _of_npz(path)
    if start == _MAT_5:
        return arrays_of_mat_5(path)
    if start == _MAT_73:
        return arrays_of_mat_73(path)
    if path.suffix.lower() == ".mat" and not start.startswith(b"\x89HDF"):
        raise DataError(f"{path} is not a MATLAB file of v5 to v7.3: write it again with save -v7 or -v7.3")
    return None


def _of_npz(path: Path) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    try:
        with np.load(path, allow_pickle=False) as file:
            if file.zip is not None and not all(name.endswith(".npy") for name in file.zip.namelist()):
                names = ", ".join(file.zip.namelist()[:3])
                raise DataError(f"{path} is a ZIP archive of other files ({names}): unpack it, and give one of them")
            for name in file.files:
                arrays[name] = file[name]
    except zipfile.BadZipFile as error:
        raise DataError(f"{path} is a damaged ZIP archive ({error}): copy or download it again") from error
    except ValueError as error:
        missing = next(name for name in file.files if name not in arrays)
        raise DataError(
            f"{path}: {missing} is an array of Python objects, which only pickle can read: write the recording with "
            "nlb_search.data.from_arrays instead"
        ) from error
    return arrays
