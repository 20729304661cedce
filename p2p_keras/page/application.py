"""What the program `view` serves: which page, of which files."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from p2p_keras.core.errors import InputError, P2PError, UsageError
from p2p_keras.page.judging.kinds import looks_like_results
from p2p_keras.page.places import Places
from p2p_keras.page.server import is_own, start_server
from p2p_keras.page.token import new_token

if TYPE_CHECKING:
    from p2p_keras.page.judging.results import Results
    from p2p_keras.page.measuring.models import Models

__all__ = ["Application"]

_ABOUT_MEASURING = "click a galaxy to measure it; with a mask tool, drag round what isn't it"
_KEYS = "keys: ← → galaxies, page up and down, g good, b bad, u undo"


class Application:
    """Files, models and the pages that show them.

    Parameters
    ----------
    places : Places
    images : sequence of path
        To measure.
    results : Results, optional
        To judge; then the page to measure on is below ``/measure``.
    models : Models, optional
        By default the shipped one alone.
    """

    def __init__(
        self,
        places: Places,
        images: Sequence[Path] = (),
        results: Results | None = None,
        *,
        models: Models | None = None,
    ) -> None:
        from p2p_keras.page.measuring.models import Models

        self.places, self.images, self.results = places, tuple(images), results
        self.models = models or Models()

    @classmethod
    def of(cls, paths: Sequence[str], models: Models | None = None) -> Self:
        """The page for what is named on the command line.

        Raises
        ------
        UsageError
            There are no such files, or several results.
        InputError
            The results can't be read.
        """
        tables = [path for path in paths if looks_like_results(Path(path).expanduser())]
        if len(tables) > 1:
            raise UsageError(f"one table at a time can be judged, not {', '.join(tables)}")
        others = [path for path in paths if path not in tables]
        folders = [Path(path).expanduser() for path in others if Path(path).expanduser().is_dir()]
        if not tables:
            images = _images(paths)
            if missing := [str(path) for path in images if not path.exists()]:
                raise UsageError(f"no such file: {', '.join(missing)}")
            return cls(Places([path.parent for path in images] or [Path()]), images, models=models)
        from p2p_keras.page.judging.results import open_results

        table = Path(tables[0]).expanduser().resolve()
        results = open_results(table)
        folders += [Path(path).expanduser().parent for path in others if Path(path).expanduser().is_file()]
        return cls(Places([table.parent, *folders], results.sources()), (), results, models=models)

    def measure_page(self) -> Any:
        """A page to measure on, for a new session."""
        import panel as pn

        from p2p_keras.page.measuring.measure_page import MeasurePage
        from p2p_keras.page.widgets import whole_page

        page = MeasurePage(self.places, self.models, self.images)
        pn.state.on_session_destroyed(lambda context: page.close())
        asked = {key: values[-1].decode("utf-8", "replace") for key, values in pn.state.session_args.items()}
        page.open_link(asked, str(self.images[0]) if self.images else "")
        return whole_page(page.layout(), "p2p_keras", _ABOUT_MEASURING)

    def judge_page(self) -> Any:
        """A page to judge the results by, for a new session."""
        import panel as pn

        from p2p_keras.page.judging.judge_page import JudgePage
        from p2p_keras.page.style import asset
        from p2p_keras.page.widgets import whole_page

        assert self.results is not None
        try:
            page = JudgePage(self.results, self.places)
        except InputError as error:  # verdicts that can't be read
            return pn.pane.Str(str(error))
        pn.state.on_session_destroyed(lambda context: page.close())
        name = self.results.path.name if self.results.path else "results"
        return whole_page(page.layout(), name, _KEYS, asset("judging/keys.js"))

    def pages(self) -> dict[str, Callable[[], Any]]:
        """The pages by their addresses."""
        if self.results is None:
            return {"/": self.measure_page}
        return {"/": self.judge_page, "/measure": self.measure_page}

    def serve(self, host: str, port: int) -> tuple[Any, str]:
        """Start to listen; returns the server and the address for the browser, with the token where it needs one."""
        token = "" if is_own(host) else new_token()
        server = start_server(self.pages(), host=host, port=port, token=token)
        shown = "localhost" if host in ("0.0.0.0", "::") else host
        return server, f"http://{shown}:{server.port}/" + (f"?token={token}" if token else "")

    def warm_up(self) -> None:
        """Load what the first page needs: while the browser starts, and not in a thread, whose imports could meet.

        What is there by now stays to the end: Python needn't look for garbage in it again.
        """
        try:
            self._warm_up()
        finally:
            gc.freeze()
            gc.enable()

    def _warm_up(self) -> None:
        from p2p_keras.page.measuring import measure_page  # noqa: F401
        from p2p_keras.page.measuring.measurement import measure
        from p2p_keras.page.measuring.request import Request

        if self.results is not None:
            from p2p_keras.page.judging import judge_page  # noqa: F401

            return
        with suppress(P2PError):  # it will be said on the page
            self.models.load(self.models.names[0])
            if self.images:  # what a measurement loads
                measure(Request(str(self.images[0])), self.models)

    def run(self, server: Any) -> None:
        """Serve until Ctrl-C or SIGTERM."""
        loop = server.io_loop
        loop.add_callback(self.warm_up)
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: loop.add_callback_from_signal(loop.stop))
        try:
            loop.start()
        finally:
            server.stop()


def _images(paths: Sequence[str]) -> list[Path]:
    """The images that are named; plain files without astropy, so that the page listens a second earlier."""
    files = [Path(path).expanduser().resolve() for path in paths]
    if all(file.is_file() for file in files):
        return files
    from p2p_keras.images.inputs import find_images

    return [path.resolve() for path in find_images(paths).paths]
