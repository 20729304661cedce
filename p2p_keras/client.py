"""The client of a model server, under the name that scripts import it by."""

from p2p_keras.serving.client import Attempts as Attempts
from p2p_keras.serving.client import ProfileClient as ProfileClient
from p2p_keras.serving.client import ServerError as ServerError
