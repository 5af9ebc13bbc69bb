"""Searching a STAC API, with time-outs and repetitions."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from preprocessing.errors import FetchError, RequestError
from preprocessing.fetch.request import FetchRequest
from preprocessing.fetch.scenes import Scene, UnusableItemError, newest_processing, scene_of
from preprocessing.rasters.grid import Bounds

__all__ = ["CatalogueSearch", "need_packages"]

_LOG = logging.getLogger(__name__)
_PAGE = 100
_PACKAGES = ("odc.stac", "planetary_computer", "pystac_client", "shapely")


def need_packages() -> None:
    """Refuse to begin without the packages of the extra `fetch`.

    Raises:
        RequestError: One is not installed.
    """
    try:
        for package in _PACKAGES:
            import_module(package)
    except ImportError as err:
        raise RequestError(
            f"expected the packages that fetching needs, '{err.name}' is not installed; "
            "install them with pip install 'landcast[fetch]'"
        ) from err


@dataclass(frozen=True)
class CatalogueSearch:
    """An opened catalogue.

    Attributes:
        request: What is asked for.
        client: Of pystac-client.
    """

    request: FetchRequest
    client: Any

    @classmethod
    def open(cls, request: FetchRequest) -> CatalogueSearch:
        """Open the catalogue of a request.

        Raises:
            FetchError: It cannot be reached or is no STAC API.
        """
        import pystac
        from pystac_client import Client
        from pystac_client.errors import ClientTypeError
        from pystac_client.exceptions import APIError
        from pystac_client.stac_api_io import StacApiIO
        from urllib3 import Retry

        url = request.source.url
        repeated = Retry(
            total=request.retries,
            backoff_factor=request.backoff_s,
            status_forcelist=(429, 500, 502, 503, 504),
            # A search asks by POST and changes nothing, so that it may be repeated.
            allowed_methods=None,
        )
        web = StacApiIO(timeout=request.timeout_s, max_retries=repeated)
        try:
            # Opening resets the time-out of `web`, so that it must be said twice.
            client = Client.open(url, stac_io=web, timeout=request.timeout_s)
            searchable = bool(client.conforms_to("ITEM_SEARCH"))
        except (APIError, OSError) as err:
            raise FetchError(
                f"expected a STAC API at {url}, it did not answer ({_short(err)}); check the "
                "network and --catalogue, and run again: finished years are kept"
            ) from err
        except (ClientTypeError, pystac.STACError, ValueError, KeyError, TypeError) as err:
            raise FetchError(
                f"expected a STAC API at {url}, got something else ({_short(err)}); "
                "check --catalogue"
            ) from err
        if not searchable:
            raise RequestError(
                f"expected a STAC API that can be searched at {url}, it states no item search; "
                "check --catalogue"
            )
        return cls(request, client)

    def scenes(
        self, bbox: Bounds, first: dt.date, last: dt.date
    ) -> tuple[list[Scene], Mapping[str, str]]:
        """All items of the collection that touch a box within some days.

        Args:
            bbox: In degrees.
            first: First day.
            last: Last day, inclusive.

        Returns:
            The scenes, repetitions of processing removed; and of each item that cannot be used,
            by its name, the reason.

        Raises:
            FetchError: The catalogue does not answer.
        """
        from pystac_client.exceptions import APIError

        request = self.request
        search = self.client.search(
            collections=[request.source.name_of(request.collection)],
            bbox=list(bbox),
            datetime=f"{first.isoformat()}T00:00:00Z/{last.isoformat()}T23:59:59Z",
            limit=_PAGE,
        )
        scenes: list[Scene] = []
        unusable: dict[str, str] = {}
        try:
            for item in search.items_as_dicts():
                try:
                    scenes.append(scene_of(item, request.profile, request.composition))
                except UnusableItemError as err:
                    unusable[str(item.get("id"))] = str(err)
        except (APIError, OSError, ValueError, KeyError, TypeError) as err:
            raise FetchError(
                f"expected items of {request.collection} from {first} to {last}, "
                f"{request.source.url} did not give them ({_short(err)}); run again: finished "
                "years are kept"
            ) from err
        _LOG.info("%d items from %s to %s, %d unusable", len(scenes), first, last, len(unusable))
        return newest_processing(scenes), unusable


def _short(err: BaseException) -> str:
    text = " ".join(str(err).split()) or type(err).__name__
    return text if len(text) <= 200 else f"{text[:197]}..."
