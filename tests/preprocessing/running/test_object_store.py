"""Results that are sent to an object store: fsspec's, in memory."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from preprocessing.errors import LandcastError, OutputExistsError, OutputInUseError, RequestError
from preprocessing.running.object_store import sent_folder

_HIDDEN = (".landcast.lock", ".landcast.sent")


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return f"memory://{uuid.uuid4().hex}/run"


def there(address: str, *, hidden: bool = False) -> dict[str, bytes]:
    store, root = MemoryFileSystem(), address.removeprefix("memory:/") + "/"
    found = {path.removeprefix(root): store.cat_file(path) for path in store.find(root)}
    return {name: text for name, text in found.items() if hidden or name not in _HIDDEN}


def put(address: str, name: str, text: str) -> None:
    MemoryFileSystem().pipe_file(f"{address.removeprefix('memory:/')}/{name}", text.encode())


def write(folder: Path, **files: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)


def test_files_are_sent_and_those_of_an_earlier_result_go(address: str) -> None:
    with sent_folder(address, last="run") as folder:
        write(folder, run="1", a="a", members__b="b")
        write(folder / ".partial", c="c")
        assert there(address) == {}
        assert ".landcast.lock" in there(address, hidden=True)
    assert there(address) == {"run": b"1", "a": b"a", "members/b": b"b"}
    assert ".landcast.lock" not in there(address, hidden=True)
    with sent_folder(address, last="run") as again:  # The same result: nothing is to be done.
        assert again == folder
    put(address, "of-others", "o")
    (folder / "members" / "b").unlink()
    with sent_folder(address, last="run", overwrite=True):
        write(folder, run="2", a="A")
    assert there(address) == {"run": b"2", "a": b"A", "of-others": b"o"}


def test_what_is_there_is_not_replaced_unasked(address: str, tmp_path: Path) -> None:
    put(address, "of-others", "o")
    with pytest.raises(OutputExistsError, match="holds files"), sent_folder(address, last="run"):
        raise AssertionError
    other = f"{address}-2"
    put(other, "run", "of another machine")
    with pytest.raises(OutputExistsError, match="holds files"), sent_folder(other, last="run"):
        raise AssertionError
    assert there(address) == {"of-others": b"o"}
    assert ".landcast.lock" not in there(address, hidden=True)


def test_what_was_interrupted_goes_on(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped() -> None:
        write(folder, a="a")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), sent_folder(address, last="run") as folder:
        stopped()
    assert there(address, hidden=True) == {}
    assert (folder / "a").read_text() == "a"

    def lost(*_: object, **__: object) -> None:
        raise PermissionError("no longer")

    with monkeypatch.context() as patch:
        patch.setattr(MemoryFileSystem, "put_file", lost)
        with (
            pytest.raises(LandcastError, match=r"were not sent: .*no longer.*; the same command"),
            sent_folder(address, last="run") as folder,
        ):
            write(folder, run="1")
    assert "run" not in there(address)
    with sent_folder(address, last="run"):
        pass
    assert there(address) == {"run": b"1", "a": b"a"}


def test_two_runs_are_refused_and_a_killed_one_counts_for_nothing(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with sent_folder(address, last="run") as folder:
        write(folder, run="1")
        with (
            pytest.raises(OutputInUseError, match=f"process {os.getpid()} on"),
            sent_folder(address, last="run"),
        ):
            raise AssertionError
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    state: dict[str, object] = {"pid": ended.pid, "host": "elsewhere", "since": time.time()}
    put(address, ".landcast.lock", json.dumps(state))
    with (
        pytest.raises(OutputInUseError, match=r"on elsewhere.* or delete \.landcast\.lock"),
        sent_folder(address, last="run"),
    ):
        raise AssertionError
    put(address, ".landcast.lock", json.dumps({**state, "host": socket.gethostname()}))
    with sent_folder(address, last="run"):
        assert there(address, hidden=True)[".landcast.lock"] != json.dumps(state).encode()
    assert there(address) == {"run": b"1"}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nothing://bucket/run", "install landcast.remote"),
        ("https://localhost:9/run", "check bucket, rights and network"),
    ],
)
def test_what_cannot_be_written_is_refused_before_work(
    address: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(RequestError, match=said), sent_folder(address, last="run"):
        raise AssertionError


def test_packages_that_are_missing_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    with (
        pytest.raises(RequestError, match=r"s3fs.*install landcast\[remote\]"),
        sent_folder("s3://bucket/run", last="run"),
    ):
        raise AssertionError
