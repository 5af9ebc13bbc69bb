from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zarr

from preprocessing.running.differences import Difference


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int32", "float32", "float64"])
def test_every_value_comes_back_as_it_was(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(0)
    base, values = ((50 * rng.integers(-1, 2, (3, 50, 70))).astype(dtype) for _ in range(2))
    if values.dtype.kind == "f":
        base[0, :5], values[0, 3:9] = np.nan, np.nan
        values[1, 0, 0] = -0.0
    array = Difference.create(tmp_path / "array", base, 32)
    block = (slice(None), slice(32, 50), slice(0, 32))
    array[block] = values[block]
    again = Difference(tmp_path / "array", base)
    assert (again.shape, again.dtype) == (base.shape, base.dtype)
    assert again[block].tobytes() == np.ascontiguousarray(values[block]).tobytes()
    # What was not written is as in the other array.
    rest = (slice(None), slice(0, 32), slice(None))
    assert again[rest].tobytes() == np.ascontiguousarray(base[rest]).tobytes()
    corners = [(row, col) for row in (0, 32) for col in (0, 32, 64)]
    assert [corner for corner in corners if again.written(*corner)] == [(32, 0)]


def test_little_is_kept_where_little_differs(tmp_path: Path) -> None:
    base = np.random.default_rng(0).integers(0, 255, (3, 256, 256)).astype(np.uint8)
    values = base.copy()
    values[:, 10:30, 10:30] = 7
    array = Difference.create(tmp_path / "array", base, 128)
    array[...] = values
    used = sum(path.stat().st_size for path in (tmp_path / "array").rglob("*") if path.is_file())
    assert used < base.nbytes / 20


def test_an_array_appears_in_one_move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = np.zeros((4, 4), np.uint8)
    original = zarr.create_array

    def killed(folder: Path, **options: object) -> None:
        original(folder, **options)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(zarr, "create_array", killed)
        with pytest.raises(KeyboardInterrupt):
            Difference.create(tmp_path / "array", base, 4)
    array = Difference.create(tmp_path / "array", base, 4)
    array[...] = base + 3
    # One that is there stays as it is.
    assert (Difference.create(tmp_path / "array", base, 4)[...] == 3).all()
