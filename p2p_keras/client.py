"""The client of a model server, under the name that scripts import it by."""

from p2p_keras.serving.client import Attempts, ProfileClient, ServerError

__all__ = ["Attempts", "ProfileClient", "ServerError"]
