from __future__ import annotations

import pytest
from servers.stac_catalogue import running_catalogue


@pytest.fixture
def made(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    with running_catalogue(folder) as catalogue:
        yield catalogue
