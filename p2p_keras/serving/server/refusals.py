"""Why a request is refused: a gRPC status code and a sentence that its sender can act on."""

from __future__ import annotations

import re

import grpc

__all__ = ["Refusal", "exhausted", "from_exception", "invalid", "not_found", "sentence_of_tensorflow"]

# gRPC sends the sentence in an HTTP/2 header, of which all together may take 8 KiB.
_LONGEST_SENTENCE = 1000


class Refusal(Exception):
    """The request (or a part of the server) can't be answered; the server goes on.

    Parameters
    ----------
    code : grpc.StatusCode
    sentence : str
        What is wrong and, where possible, what to do.
    """

    def __init__(self, code: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence if len(sentence) <= _LONGEST_SENTENCE else sentence[: _LONGEST_SENTENCE - 3] + "..."


def invalid(sentence: str) -> Refusal:
    """INVALID_ARGUMENT: the same request will never be answered."""
    return Refusal(grpc.StatusCode.INVALID_ARGUMENT, sentence)


def exhausted(sentence: str) -> Refusal:
    """RESOURCE_EXHAUSTED: too large, or too much at once."""
    return Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, sentence)


def not_found(sentence: str) -> Refusal:
    """NOT_FOUND: no such model or version is served."""
    return Refusal(grpc.StatusCode.NOT_FOUND, sentence)


def sentence_of_tensorflow(message: str) -> str:
    """Find the sentence inside TensorFlow's report of a failed op, without node names and stack.

    An assertion in the graph reads ``assertion failed: [the sentence] [more data] ...``, wrapped in lines about nodes.
    """
    asserted = re.search(r"assertion failed: \[(.*?)\](?= \[|\s*$)", message, flags=re.DOTALL | re.MULTILINE)
    if asserted:
        return asserted.group(1).strip()
    noise = re.compile(
        r"^(Graph execution error|Detected at node|Stack trace for|defined at|<stack traces|  File |\s*$)"
    )
    lines = [line for line in message.splitlines() if not noise.match(line)]
    sentence = " ".join(lines) if lines else message
    sentence = re.sub(r"\[\[\{\{.*", "", sentence, flags=re.DOTALL)
    sentence = re.sub(r"\{\{.*?\}\}|\[Op:.*?\]|\d+ root error\(s\) found\.", "", sentence)
    return re.sub(r"\s+", " ", sentence).strip()


def from_exception(error: BaseException) -> Refusal:
    """Turn an error of a run into a refusal. Unknown errors are INTERNAL, and the caller logs them."""
    if isinstance(error, Refusal):
        return error
    import tensorflow as tf

    if isinstance(error, tf.errors.InvalidArgumentError):
        return invalid(sentence_of_tensorflow(str(error.message)))
    if isinstance(error, tf.errors.ResourceExhaustedError | MemoryError):
        return exhausted("the server doesn't have enough memory to run this request")
    return Refusal(grpc.StatusCode.INTERNAL, f"the model failed on this request ({type(error).__name__})")
