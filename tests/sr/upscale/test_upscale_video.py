"""Upscaling films: times, sound, rotation, continuing, damaged files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from app.upscaling.run import UpscaleRequest, upscale
from preprocessing.errors import LandcastError, RequestError
from sr.network.rrdb import RRDBNet
from sr.upscale.bands import UpscaleOptions
from sr.upscale.video_segment import SegmentWriter

RATE = Fraction(30000, 1001)
FRAMES = 30


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("sr-model")
    network: RRDBNet = RRDBNet(num_blocks=1, num_features=4, growth_channels=4, global_skip=True)
    network.save_pretrained(folder)
    return str(folder)


def _film(
    path: Path,
    *,
    codec: str | None = "aac",
    layout: str = "stereo",
    rotation: int = 0,
    times: Any = range(FRAMES),
) -> Path:
    """A green square in the upper left corner of a picture that brightens with time."""
    options = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as film:
        stream = film.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        stream.options = {"crf": "10"}
        if rotation:
            stream.set_display_rotation(rotation)
        sound = None if codec is None else film.add_stream(codec, rate=48000)
        if sound is not None:
            sound.codec_context.layout = layout
        for index, time in enumerate(times):
            pixels = np.full((32, 48, 3), 40 + 5 * index, np.uint8)
            pixels[:12, :12] = (0, 200, 0)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = time, 1 / RATE
            film.mux(stream.encode(frame))
        film.mux(stream.encode())
        if sound is not None:
            for start in range(0, 48000, 1000):
                tone = np.sin(np.arange(start, start + 1000) / 20).astype(np.float32) / 3
                channels = av.AudioLayout(layout).nb_channels
                audio = av.AudioFrame.from_ndarray(np.stack([tone] * channels), "fltp", layout)
                audio.sample_rate, audio.pts = 48000, start
                audio.time_base = Fraction(1, 48000)
                film.mux(sound.encode(audio))
            film.mux(sound.encode())
    return path


def _seen(path: Path) -> tuple[list[float], list[Any], list[str], int]:
    """Times and pictures of the frames, codecs and samples of the sound."""
    with av.open(str(path)) as film:
        codecs = [stream.codec_context.name for stream in film.streams.audio]
        frames = list(film.decode(video=0))
    samples = 0
    if codecs:
        with av.open(str(path)) as film:
            samples = sum(frame.samples for frame in film.decode(audio=0))
    return (
        [float(frame.time) for frame in frames],
        [frame.to_ndarray(format="rgb24") for frame in frames],
        codecs,
        samples,
    )


def _request(source: Path, out: Path, model: str, *, resume: bool = False) -> UpscaleRequest:
    return UpscaleRequest(source, out, UpscaleOptions(outscale=2), model=model, resume=resume)


@pytest.mark.parametrize(
    ("name", "codec", "kept"),
    [("a.mp4", "aac", "aac"), ("b.mkv", "flac", "flac"), ("c.avi", "pcm_s16le", "aac")],
)
def test_times_and_sound_stay(tmp_path: Path, model: str, name: str, codec: str, kept: str) -> None:
    gap = [*range(10), *range(14, FRAMES + 4)] if name == "b.mkv" else range(FRAMES)
    source = _film(tmp_path / name, codec=codec, times=gap)
    progress: list[tuple[str, int, int]] = []
    upscale(
        _request(source, tmp_path / "out.mp4", model), progress=lambda *now: progress.append(now)
    )
    times, pictures, codecs, samples = _seen(tmp_path / "out.mp4")
    expected = [float(time / RATE) for time in gap]
    assert np.allclose(times, expected, atol=1e-3)  # mkv rounds to milliseconds
    assert pictures[0].shape == (64, 96, 3)
    for index in (0, 23, 24, FRAMES - 1):  # on both sides of the joint of two segments
        assert abs(int(pictures[index][50, 70, 1]) - (40 + 5 * index)) <= 3
        assert np.abs(pictures[index][6, 6].astype(int) - (0, 200, 0)).max() <= 12
    assert codecs == [kept]
    assert abs(samples - 48000) < 2100  # AAC adds up to two packets of 1024 samples
    assert progress[-1] == ("upscaling", FRAMES, FRAMES)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([name, "out.mp4"])


@pytest.mark.parametrize("ending", [".mp4", ".m4v", ".mov", ".mkv"])
@pytest.mark.parametrize("codec", ["aac", "libopus", "flac", "mp3", "pcm_s16le"])
def test_every_ending_takes_every_sound(
    tmp_path: Path, model: str, ending: str, codec: str
) -> None:
    source = _film(tmp_path / "in.mkv", codec=codec, times=range(4))
    out = tmp_path / f"out{ending}"
    upscale(_request(source, out, model))
    times, _, codecs, samples = _seen(out)
    assert len(times) == 4
    kept = {"libopus": "opus", "mp3": "mp3float"}.get(codec, codec)
    assert codecs in (["aac"], [kept])
    if ending == ".mkv" and codec != "pcm_s16le":
        assert codecs == [kept]
    assert abs(samples - 48000) < 3000


def test_surround_sound_stays_surround(tmp_path: Path, model: str) -> None:
    source = _film(tmp_path / "in.mov", codec="pcm_s16le", layout="5.1", times=range(4))
    upscale(_request(source, tmp_path / "out.mp4", model))
    with av.open(str(tmp_path / "out.mp4")) as film:
        assert film.streams.audio[0].codec_context.channels == 6


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_the_frame_rate_stays(tmp_path: Path, model: str, ending: str) -> None:
    source = _film(tmp_path / f"in{ending}", codec=None)
    out = tmp_path / f"out{ending}"
    upscale(_request(source, out, model))
    with av.open(str(out)) as film:
        stream = film.streams.video[0]
        assert float(stream.average_rate) == pytest.approx(float(RATE), rel=0.01)
        # What the encoder wrote into the pictures themselves.
        assert float(stream.codec_context.framerate) == pytest.approx(float(RATE), rel=1e-3)


@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_a_film_that_is_cut_off_is_not_taken_for_a_short_one(
    tmp_path: Path, model: str, ending: str
) -> None:
    source = _film(tmp_path / f"whole{ending}", codec=None)
    content = source.read_bytes()
    cut = tmp_path / f"cut{ending}"
    cut.write_bytes(content[: int(0.6 * len(content))])
    with pytest.raises(LandcastError, match=r"cut off or damaged|readable frames"):
        upscale(_request(cut, tmp_path / "out.mp4", model))
    assert not (tmp_path / "out.mp4").exists()


def test_rotated_film_without_sound(tmp_path: Path, model: str) -> None:
    source = _film(tmp_path / "in.mp4", codec=None, rotation=90)
    upscale(_request(source, tmp_path / "out.mov", model))
    _, pictures, codecs, _ = _seen(tmp_path / "out.mov")
    assert codecs == []
    assert pictures[0].shape == (96, 64, 3)
    # Turned by 90 degrees against the clock the upper left corner is the lower left one.
    assert np.abs(pictures[0][-6, 6].astype(int) - (0, 200, 0)).max() <= 12


def test_animated_picture_becomes_a_film(tmp_path: Path, model: str) -> None:
    frames = [Image.fromarray(np.full((9, 9, 3), 50 * i, np.uint8)) for i in range(1, 4)]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=200)
    upscale(_request(tmp_path / "in.gif", tmp_path / "out.mp4", model))
    times, pictures, _, _ = _seen(tmp_path / "out.mp4")
    assert np.allclose(times, [0, 0.2, 0.4], atol=1e-3)
    assert [abs(int(p[8, 8, 0]) - 50 * i) <= 3 for i, p in enumerate(pictures, 1)] == [True] * 3


def test_the_last_frame_is_shown_as_long_as_it_was(tmp_path: Path, model: str) -> None:
    """As in films of a forecast, whose last year is held."""
    frames = [Image.fromarray(np.full((9, 9, 3), 50 * i, np.uint8)) for i in range(1, 4)]
    shown = [100, 100, 3000]
    frames[0].save(tmp_path / "in.gif", save_all=True, append_images=frames[1:], duration=shown)
    upscale(_request(tmp_path / "in.gif", tmp_path / "out.mp4", model))
    with av.open(str(tmp_path / "out.mp4")) as film:
        stream = film.streams.video[0]
        assert float(stream.duration * stream.time_base) == pytest.approx(3.2, abs=0.02)


def test_stopped_film_continues(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = _film(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    add, added = SegmentWriter.add, []

    def stopping(self: SegmentWriter, pixels: Any, pts: int) -> None:
        added.append(pts)
        if len(added) == 27:
            raise KeyboardInterrupt
        add(self, pixels, pts)

    monkeypatch.setattr(SegmentWriter, "add", stopping)
    with pytest.raises(KeyboardInterrupt):
        upscale(_request(source, out, model))
    assert not out.exists()
    upscale(_request(source, out, model, resume=True))
    assert len(added) == 27 + FRAMES - 24  # the first segment of 24 frames was kept
    times, pictures, codecs, _ = _seen(out)
    assert np.allclose(times, [float(i / RATE) for i in range(FRAMES)], atol=1e-4)
    assert abs(int(pictures[-1][50, 70, 1]) - (40 + 5 * (FRAMES - 1))) <= 3
    assert codecs == ["aac"]
    assert not list(tmp_path.glob(".*"))


def test_films_that_cannot_be_upscaled(tmp_path: Path, model: str) -> None:
    whole = _film(tmp_path / "in.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[:2000])
    for name, out, words in (
        ("cut.mp4", "out.mp4", "damaged"),
        ("in.mp4", "out.webm", "ending in"),
        ("none.mp4", "out.mp4", "found no"),
    ):
        with pytest.raises(RequestError, match=words):
            upscale(_request(tmp_path / name, tmp_path / out, model))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.mp4", "in.mp4"]


@pytest.mark.parametrize("interlaced", [True, False])
def test_lines_of_two_moments_are_told(
    tmp_path: Path, model: str, caplog: pytest.LogCaptureFixture, interlaced: bool
) -> None:
    with av.open(str(tmp_path / "a.mpg"), "w") as film:
        stream = film.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
        if interlaced:
            stream.options = {"flags": "+ildct+ilme"}
        for shift in range(4):
            pixels = np.zeros((32, 48, 3), np.uint8)
            pixels[::2, 8 * shift : 8 * shift + 8] = 230
            pixels[1::2, 8 * shift + 4 : 8 * shift + 12] = 230
            film.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        film.mux(stream.encode())
    upscale(_request(tmp_path / "a.mpg", tmp_path / "b.mp4", model))
    said = [record.getMessage() for record in caplog.records if "interlaced" in record.message]
    assert len(said) == interlaced
