"""The chance of lasting change in classes, with its colours in the file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from fake_results import make_result, write
from matplotlib.colors import to_rgb
from rasterio.enums import ColorInterp
from rio_cogeo import cog_validate

from app.forecasts.change_classes import write_change_classes
from app.forecasts.results import ForecastFolder
from app.web.forecasts.mapped import _legend

HEIGHT, WIDTH = 600, 700  # More than one block.


def test_classes_have_the_colours_of_the_legend(tmp_path: Path) -> None:
    folder = make_result(tmp_path / "result", years=1)
    chance = np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    seen = np.ones_like(chance, bool)
    seen[500:550, 480:550] = False
    name = "change_probability_2021.tif"
    write(folder / name, np.where(seen, chance, np.nan)[None], nodata=float("nan"))
    path = write_change_classes(ForecastFolder.open(folder), 2021, tmp_path / "classes.tif")
    assert cog_validate(path, strict=True)[0]
    with rasterio.open(path) as classes, rasterio.open(folder / name) as probabilities:
        assert (classes.crs, classes.transform) == (probabilities.crs, probabilities.transform)
        assert (classes.dtypes, classes.nodata) == (("uint8",), 0)
        assert classes.colorinterp == (ColorInterp.palette,)
        found, colours, said = classes.read(1), classes.colormap(1), classes.tags()
        coarse = classes.read(1, out_shape=(HEIGHT // 2, WIDTH // 2))
    expected = np.where(seen, np.minimum(np.floor(10 * chance), 9) + 1, 0)
    np.testing.assert_array_equal(found, expected)
    assert np.unique(coarse).tolist() == list(range(11))
    assert [said["CLASS_1"], said["CLASS_10"]] == ["0 to 10 %", "90 to 100 %"]
    legend = [to_rgb(colour) for colour in _legend("change_probability", 1.0)["colours"]]
    assert [colours[place] for place in range(1, 11)] == [
        (*(round(255 * share) for share in colour), 255) for colour in legend
    ]
    assert colours[0][3] == 0, "what was not observed is transparent"
