from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prepare_cases import gap_px

from preprocessing.preparation.splits import split_blocks, split_places
from preprocessing.rasters.window import Window
from preprocessing.tiles.tiling import plan_tiles

SHARES = st.floats(0.01, 0.6)


@settings(max_examples=60)
@given(
    height=st.integers(128, 1500),
    width=st.integers(128, 1500),
    stride=st.integers(64, 128),
    share=SHARES,
    seed=st.integers(0, 50),
)
def test_train_and_validation_tiles_keep_their_distance(
    height: int, width: int, stride: int, share: float, seed: int
) -> None:
    windows = plan_tiles(height, width, size=128, stride=stride)
    splits = split_blocks(windows, val_share=share, seed=seed)
    groups = {
        name: [w for w, s in zip(windows, splits, strict=True) if s == name] for name in splits
    }
    held = groups.get("val", [])
    assert len(held) == max(1, round(share * len(windows)))
    assert set(splits) <= {"train", "val", None}
    for window in groups.get("train", []):
        assert all(gap_px(window, other) >= 128 for other in held)
    # No tile is given up without need.
    for window in groups.get(None, []):
        assert any(gap_px(window, other) < 128 for other in held)


def test_validation_block_is_compact() -> None:
    windows = plan_tiles(1280, 1280, size=128, stride=128)
    splits = split_blocks(windows, val_share=0.25, seed=3)
    held = [w for w, s in zip(windows, splits, strict=True) if s == "val"]
    assert max(w.row for w in held) - min(w.row for w in held) == 4 * 128
    assert max(w.col for w in held) - min(w.col for w in held) == 4 * 128
    assert splits.count(None) == 11


def test_blocks_follow_the_seed() -> None:
    windows = plan_tiles(1280, 1280, size=128, stride=128)
    found = {tuple(split_blocks(windows, val_share=0.2, seed=seed)) for seed in range(20)}
    assert len(found) == 4
    assert split_blocks(windows, val_share=0.2, seed=1) == split_blocks(
        windows, val_share=0.2, seed=1
    )
    assert set(split_blocks(windows, val_share=0.0)) == {"train"}


@given(count=st.integers(2, 200), val=SHARES, seed=st.integers(0, 99))
def test_places(count: int, val: float, seed: int) -> None:
    names = [f"place {i}" for i in range(count)]
    splits = split_places(names, val_share=val, seed=seed)
    assert splits == split_places(reversed(names * 2), val_share=val, seed=seed)
    assert set(splits) == set(names)
    given_names = list(splits.values())
    assert given_names.count("val") == min(max(1, round(val * count)), count - 1)
    assert given_names.count("train") == count - given_names.count("val") >= 1


def test_places_follow_the_seed() -> None:
    names = [str(i) for i in range(50)]
    assert split_places(names, val_share=0.3, seed=1) != split_places(names, val_share=0.3, seed=2)


@pytest.mark.parametrize("share", [1.0, -0.1, float("nan")])
def test_shares_are_checked(share: float) -> None:
    with pytest.raises(ValueError, match="val_share"):
        split_places(["a", "b"], val_share=share)
    with pytest.raises(ValueError, match="val_share"):
        split_blocks([Window(0, 0, 128, 128)], val_share=share)


def test_gap() -> None:
    tile = Window(0, 0, 128, 128)
    assert gap_px(tile, Window(0, 128, 128, 128)) == 0
    assert gap_px(tile, Window(300, 130, 128, 128)) == 172
    assert gap_px(Window(300, 130, 128, 128), tile) == 172
    assert gap_px(tile, Window(100, 100, 128, 128)) == -28
