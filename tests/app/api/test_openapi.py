"""The OpenAPI document: kept in the docs, and true."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from service_cases import Service

KEPT = Path(__file__).parents[3] / "docs" / "openapi.json"
CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)


def test_the_document_in_the_docs_is_what_the_service_gives(service: Service) -> None:
    given = service.client.get("/openapi.json").json()
    assert json.loads(KEPT.read_text(encoding="utf-8")) == given, (
        "write it again: curl localhost:8501/openapi.json | python -m json.tool --indent 1"
    )


OPERATIONS = [
    (path, method)
    for path, methods in json.loads(KEPT.read_text(encoding="utf-8"))["paths"].items()
    for method in methods
]


@pytest.fixture(scope="module")
def document(service: Service) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", service.client.app)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_whatever_is_asked_the_answer_is_one_of_the_document(
    service: Service, document: Any, path: str, method: str, mode: GenerationMode
) -> None:
    asked = 0

    @settings(max_examples=25, deadline=None, database=None, suppress_health_check=HealthCheck)
    @given(case=document[path][method].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        if method == "get" and "run" in case.path_parameters:
            case.path_parameters["run"] = service.run  # Others would all be unknown.
        case.call_and_validate(checks=CHECKS.get_by_names(CHECKED))
        nonlocal asked
        asked += 1

    try:
        ask()
    except Unsatisfiable:
        pytest.skip("nothing can be wrong with it")
    assert asked
