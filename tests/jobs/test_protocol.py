from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclips_app.core.errors import EclipsError
from eclips_app.jobs.protocol import (
    Cancel,
    Done,
    Failed,
    Message,
    Preview,
    Progress,
    Ready,
    Started,
    Stop,
    Stopped,
    Submit,
    Warm,
    Warmed,
    decode,
    encode,
)
from eclips_app.jobs.scratch import SharedArray

ARRAY = SharedArray("height", "/dev/shm/x", "<f4", (3, 4), (-16, 4), 32)


@pytest.mark.parametrize(
    "message",
    [
        Submit(1, "export", 2, "a.b:c", "a.b:P", {"path": "ü.tif", "crop": [1, 2]}, (ARRAY,)),
        Cancel(1),
        Warm("a.b"),
        Stop(),
        Ready(),
        Warmed("a.b", "ModuleNotFoundError"),
        Started(1),
        Progress(1, 0.5, "half", None),
        Progress(1, 0.5, "half", 2.5),
        Preview(1, (ARRAY,), {"chi2": 1.5}),
        Done(1, (), {"nested": {"a": [1, None, True]}}, 0.25),
        Stopped(1),
        Failed(1, "what", "where", "hint", "Traceback\n"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_messages_arrive_as_they_were_sent(message: Message) -> None:
    assert decode(encode(message)) == message


@given(st.text(), st.floats(0, 1))
def test_any_text_and_number_arrives(text: str, fraction: float) -> None:
    message = Progress(3, fraction, text)
    assert decode(encode(message)) == message


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'["Nothing", {}]', b'["Cancel", {}]', b'["Cancel", {"job": "one"}]', b"\xff"]
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises((EclipsError, ValueError)):
        decode(data)
