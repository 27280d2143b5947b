"""Weft's own contract, with its types."""

from functools import cache

from weft.client.description import Description
from weft.wire.messages import MessageObject
from weft.wire.openapi import Health, document
from weft.wire.operations import TABLE
from weft.wire.runs import RunObject, RunStepObject
from weft.wire.threads import ThreadObject

EVENT_TYPES: dict[str, type] = {
    "thread.created": ThreadObject,
    "thread.run.": RunObject,
    "thread.run.step.": RunStepObject,
    "thread.message.": MessageObject,
}


@cache
def contract() -> Description:
    """Return the description that the default clients are made from."""
    answers = (operation.response for operation in TABLE)
    structs: list[type] = [Health, *(struct for struct in answers if struct is not None)]
    return Description(
        document("3.1"), {struct.__name__: struct for struct in structs}, EVENT_TYPES
    )
