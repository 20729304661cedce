"""What the program `view` serves: which page, of which files."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from p2p_keras.core.errors import P2PError
from p2p_keras.images.inputs import find_images
from p2p_keras.page.places import Places
from p2p_keras.page.server import is_own, start_server
from p2p_keras.page.token import new_token

if TYPE_CHECKING:
    from p2p_keras.page.measuring.measurement import Models


class Application:
    """Files, models and the page that shows them.

    Parameters
    ----------
    places : Places
    images : sequence of path
    models : sequence of str or None
        Names of models; None is the shipped one.
    threads : int, optional
        Of the models.
    """

    def __init__(
        self,
        places: Places,
        images: Sequence[Path] = (),
        *,
        models: Sequence[str | None] = (None,),
        threads: int | None = None,
    ) -> None:
        self.places, self.images = places, tuple(images)
        self._models, self._threads = tuple(models), threads

    @cached_property
    def models(self) -> Models:
        """The models, for all sessions."""
        from p2p_keras.page.measuring.measurement import Models

        return Models(self._models, self._threads)

    @classmethod
    def of(cls, paths: Sequence[str], **models: Any) -> Self:
        """The page for what is named on the command line.

        Raises
        ------
        UsageError
            There are no such files.
        """
        images = [path.resolve() for path in find_images(paths).paths] if paths else []
        folders = [path.parent for path in images] or [Path()]
        return cls(Places(folders), images, **models)

    def page(self) -> Any:
        """A page for a new session."""
        import panel as pn

        from p2p_keras.page.measuring.measure_page import MeasurePage
        from p2p_keras.page.measuring.request import options_of_text
        from p2p_keras.page.widgets import whole_page

        page = MeasurePage(self.places, self.models, self.images)
        pn.state.on_session_destroyed(lambda context: page.close())
        asked = {key: values[-1].decode("utf-8", "replace") for key, values in pn.state.session_args.items()}
        image = asked.pop("image", "") or (str(self.images[0]) if self.images else "")
        options = {}
        with suppress(P2PError):  # a link that was mangled shows the file as it is
            options = options_of_text(asked)
        if image:
            page.open(image, options)
        return whole_page(page.layout(), "p2p_keras", "click a galaxy; drag with a mask tool round what isn't it")

    def serve(self, host: str, port: int) -> tuple[Any, str]:
        """Start to listen; returns the server and the address for the browser, with the token where it needs one."""
        token = "" if is_own(host) else new_token()
        server = start_server(self.page, host=host, port=port, token=token)
        # The first profile is what a user waits for: what it needs is loaded while the browser starts.
        threading.Thread(target=self._warm_up, daemon=True).start()
        shown = "localhost" if host in ("0.0.0.0", "::") else host
        return server, f"http://{shown}:{server.port}/" + (f"?token={token}" if token else "")

    def _warm_up(self) -> None:
        from p2p_keras.page.measuring import measure_page  # noqa: F401 - a second of imports

        with suppress(P2PError):  # it will be said on the page
            self.models.load(self.models.names[0])

    def run(self, server: Any) -> None:
        """Serve until Ctrl-C or SIGTERM."""
        loop = server.io_loop
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: loop.add_callback_from_signal(loop.stop))
        try:
            loop.start()
        finally:
            server.stop()
