"""Mean and spread of an ensemble, and which member is nearest the mean."""

from __future__ import annotations

import numpy as np

from forecast.summary import distances_to_mean, summarize


def test_mean_and_spread_of_members() -> None:
    members = np.array([0.2, 0.4, 0.9], np.float32)[:, None, None, None] * np.ones((3, 2, 2))
    found = summarize(members.astype(np.float32))
    np.testing.assert_allclose(found.mean, 0.5, rtol=1e-6)
    np.testing.assert_allclose(found.spread, np.std([0.2, 0.4, 0.9], ddof=1), rtol=1e-6)
    assert not summarize(members[:1].astype(np.float32)).spread.any()


def test_only_cells_that_were_seen_tell_how_far_members_are_from_the_mean() -> None:
    members = np.zeros((3, 3, 2, 5), np.float32)
    members[:, :, 1, 2] = np.array([0.1, 0.4, 0.7])[:, None]
    members[1, :, 0] = 0.9  # Where nothing was seen.
    seen = np.array([[False] * 5, [True] * 5])
    np.testing.assert_allclose(
        distances_to_mean(list(members), seen), 3 * np.array([0.09, 0, 0.09]), atol=1e-7
    )
