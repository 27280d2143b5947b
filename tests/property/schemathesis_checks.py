"""What schemathesis is told about Weft: loaded by its command line, not by pytest.

It knows the document and nothing of what is stored. A few lawful requests are refused for a
reason that no schema can say; everything else that the document allows must be accepted.
"""

import itertools
import re
from typing import Any

import schemathesis
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from weft.wire.example_objects import IDS

KEY = "Idempotency-Key"

# (code, the last name of `param`): what is stored, or what two fields say of each other.
_BEYOND_A_SCHEMA = {
    ("already_exists", "id"),
    ("object_above_max_properties", "metadata"),  # merged with what is stored
    ("invalid_value", "thread_id"),  # a restored message of another thread
    ("invalid_value", "created_at"),  # a restored date that is yet to come
    ("invalid_value", "incomplete_at"),
    ("invalid_value", "completed_at"),
    ("unknown_parameter", "created_at"),  # in a restored thread, a message without an id
    ("unknown_parameter", "object"),
    ("invalid_value", "chunk_overlap_tokens"),  # at most half of max_chunk_size_tokens
    ("invalid_value", "vector_stores"),  # not beside vector_store_ids
    ("missing_required_parameter", "file_ids"),  # or files
    ("invalid_value", "files"),  # not beside file_ids
    ("invalid_value", "filters"),  # nested too deep
    ("unknown_parameter", "filters"),  # of a comparison
    ("unknown_parameter", "key"),  # of `and` and `or`
    ("unknown_parameter", "value"),
    ("missing_required_parameter", "filters"),  # of `and` and `or`
    ("missing_required_parameter", "key"),  # of a comparison
    ("missing_required_parameter", "value"),
    ("invalid_type", "value"),  # of `in` and `nin` a list
    # An empty name may be stored, but `metadata[]` in a query string means a list.
    ("invalid_type", "metadata"),
    # OpenAPI 3.0 has no propertyNames: it cannot say what names of metadata may be.
    ("invalid_value", "metadata"),
    ("property_name_above_max_length", "metadata"),
}


# What is stored, said without a code: the state of an upload, parts and files that are not there.
_STORED = re.compile(
    r"^Upload \S+ has status|is no part of this upload|stands there twice|was announced with"
    r"|^The MD5 of|^The following files were not found"
)

_numbers = itertools.count(1)


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: "schemathesis.Case[Any]", kwargs: dict[str, Any]
) -> None:
    """Give lawful requests keys and ids of their own: schemathesis sends the same again and again.

    A key keeps the length that was chosen; only the ids of the document's examples change.
    """
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    headers: Any = case.headers or {}
    if KEY in headers:
        headers[KEY] = f"{next(_numbers):0{len(headers[KEY])}}"
    if isinstance(case.body, dict):
        body = dict(case.body)
        if body.get("id") in IDS.values():
            body["id"] = f"{str(body['id']).partition('_')[0]}_{next(_numbers)}"
        thread_id = (case.path_parameters or {}).get("thread_id", body.get("id"))
        case.body = _belonging(body, thread_id)


def _belonging(body: dict[str, Any], thread_id: Any) -> dict[str, Any]:
    """Return a message or thread whose messages say that they belong to it."""
    result = dict(body)
    if isinstance(body.get("thread_id"), str):
        result["thread_id"] = thread_id
    if isinstance(body.get("messages"), list):
        result["messages"] = [
            _belonging(message, thread_id) if isinstance(message, dict) else message
            for message in body["messages"]
        ]
    return result


@schemathesis.check
def lawful_requests_are_accepted(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: "schemathesis.Case[Any]"
) -> bool | None:
    """Hold what the document allows against what the server takes."""
    if response.status_code == 416:
        return None  # how long a file is no schema knows
    if response.status_code == 400:
        error = response.json()["error"]
        if _STORED.search(error["message"]):
            return None
        where = re.split(r"[.\[\]]+", error["param"] or "")[-1]
        if (error["code"], where) in _BEYOND_A_SCHEMA:
            return None
    return positive_data_acceptance(ctx, response, case)


@schemathesis.check
def unlawful_requests_are_refused(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: "schemathesis.Case[Any]"
) -> bool | None:
    """Hold what the document refuses against what the server refuses.

    A file may hold anything: what schemathesis takes for an unlawful one is none.
    """
    if case.media_type == "multipart/form-data":
        return None
    return negative_data_rejection(ctx, response, case)
