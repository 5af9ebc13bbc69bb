"""Errors a caller can act on: one root, one class per failure.

`RequestError` and its subclasses mean that the request is wrong (exit code 2 on the command
line); any other `LandcastError` is a failure of the run. Messages have four parts: what was
expected, what came, which file, what to do.
"""

from __future__ import annotations

__all__ = [
    "BandError",
    "CloudMaskError",
    "DateError",
    "DivergedError",
    "FetchError",
    "GridMismatchError",
    "LandcastError",
    "MissingFileError",
    "ModelFolderError",
    "NoImageryError",
    "NoOverlapError",
    "NoSpaceError",
    "NoValidPixelsError",
    "OutputExistsError",
    "OutputInUseError",
    "OutsideError",
    "PairStoreError",
    "RegistrationError",
    "RequestError",
    "SeriesStoreError",
    "TooLargeError",
    "UnknownRangeError",
    "UnreadableRasterError",
    "ValueRangeError",
    "WorkerLostError",
]


class LandcastError(Exception):
    """Root of all errors raised on purpose."""


class RequestError(LandcastError):
    """The request cannot be carried out as asked; the message says what to change."""


class MissingFileError(RequestError):
    """A named input does not exist."""


class UnreadableRasterError(RequestError):
    """A file exists but GDAL cannot read it as a raster."""


class TooLargeError(RequestError):
    """A file or a request is larger than is allowed."""


class BandError(RequestError):
    """The raster lacks the bands that are needed."""


class DateError(RequestError):
    """The year of an image is unknown, ambiguous, or in the wrong order."""


class ValueRangeError(RequestError):
    """The range of pixel values is not stated and must not be guessed."""


class UnknownRangeError(ValueRangeError):
    """Nothing states the range of pixel values: neither the file, nor the caller, nor a sensor."""


class NoValidPixelsError(RequestError):
    """All pixels are nodata or masked, or too few are left to work with."""


class GridMismatchError(RequestError):
    """Two rasters do not share the grid an operation needs."""


class NoOverlapError(RequestError):
    """Two rasters do not cover any common ground."""


class RegistrationError(RequestError):
    """Two images cannot be laid over each other."""


class PairStoreError(RequestError):
    """A pair store is missing, damaged or of another kind."""


class SeriesStoreError(RequestError):
    """A series store is missing, damaged or of another kind."""


class ModelFolderError(RequestError):
    """A model folder is missing, incomplete or of another kind."""


class OutputExistsError(RequestError):
    """The output already exists and neither resume nor overwrite was asked for."""


class OutputInUseError(RequestError):
    """Another process is writing the output."""


class OutsideError(RequestError):
    """A file names another one outside its folder, or an address, and that was not allowed."""


class DivergedError(LandcastError):
    """Training cannot go on: its gradients are no numbers."""


class FetchError(LandcastError):
    """Imagery could not be had now; running again may help."""


class NoImageryError(RequestError):
    """The catalogue has no imagery of the place and years asked for."""


class NoSpaceError(LandcastError):
    """The disk is full; with room the run can be resumed."""


class WorkerLostError(LandcastError):
    """A process or cluster that shares the work was lost; resuming may help."""


class CloudMaskError(RequestError):
    """A cloud mask is not of the kind that was named."""
