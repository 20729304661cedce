"""Sentences that reach a client."""

from __future__ import annotations

import pytest

pytest.importorskip("grpc")

from p2p_keras.serving.server.refusals import invalid, sentence_of_tensorflow

WRAPPING = "Graph execution error:\n\nDetected at node Assert/Assert defined at (most recent call last):\n"
WRAPPING += "<stack traces unavailable>\n"


@pytest.mark.parametrize(
    ("message", "sentence"),
    [
        ("assertion failed: [each side must be 48 px]\n\t [[{{node A}}]] [Op:__f_1]", "each side must be 48 px"),
        ("assertion failed: [zero_point is [22.5 nan]]\n\t [[{{node A}}]]", "zero_point is [22.5 nan]"),
        ("assertion failed: [too small] [x:0] [3]\n\t [[{{node A}}]]", "too small"),
        (
            "Could not parse example input, value: 'x'\n\t [[{{node P}}]] [Op:__f]",
            "Could not parse example input, value: 'x'",
        ),
    ],
)
def test_the_sentence_inside_an_error_of_tensorflow(message, sentence):
    """A client would be shown node names instead of what is wrong."""
    assert sentence_of_tensorflow(WRAPPING + message) == sentence


def test_sentences_fit_into_a_header():
    """A long one would break the connection instead of telling the client."""
    assert len(invalid("x" * 100_000).sentence) <= 1000
