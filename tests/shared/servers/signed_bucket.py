"""A bucket on localhost that answers only requests signed with its key (AWS Signature 4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from servers.range_server import serve_folder

KEY_ID = "landcast"
KEY = "not-a-secret"
_STATED = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/s3/.*SignedHeaders=([^,]+),.*Signature=(\w+)")


@contextmanager
def signed_bucket(
    folder: Path, environment: pytest.MonkeyPatch, *, key: str = KEY
) -> Iterator[list[tuple[str, int]]]:
    """Serve a folder of buckets, with credentials in the environment; yields what was sent."""
    with serve_folder(folder, _is_signed) as (address, sent):
        environment.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        environment.setenv("AWS_SECRET_ACCESS_KEY", key)
        environment.setenv("AWS_DEFAULT_REGION", "eu-south-1")
        environment.setenv("AWS_ENDPOINT_URL", address)
        yield sent


def _is_signed(request: BaseHTTPRequestHandler) -> bool:
    """Whether botocore makes the same signature of the request with the key of the bucket."""
    stated = _STATED.search(request.headers.get("Authorization", ""))
    if stated is None or stated[1] != KEY_ID:
        return False
    again = AWSRequest(
        method=request.command,
        url=f"http://{request.headers['Host']}{request.path}",
        headers={name: request.headers[name] for name in stated[3].split(";")},
    )
    again.context["timestamp"] = request.headers["x-amz-date"]
    signer = S3SigV4Auth(Credentials(KEY_ID, KEY), "s3", stated[2])
    text = signer.string_to_sign(again, signer.canonical_request(again))
    return bool(signer.signature(text, again) == stated[4])
