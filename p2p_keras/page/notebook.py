"""The page's pieces in a notebook: a profile to explore, a table to judge, images to measure."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astropy.table import QTable

__all__ = ["explore", "view"]


def explore(profile: QTable, image: Any = None, **options: Any) -> Any:
    """Show a profile with its image, linked: a radius lights its ellipse, a click measures another galaxy.

    Parameters
    ----------
    profile : QTable
    image : GalaxyImage, path or array, optional
        What was measured; by default it is read from ``profile.meta["source"]``.
    **options
        As `p2p_keras.Predictor.predict` takes them, for an image that isn't read the same way by default.

    Returns
    -------
    panel object
        A notebook shows it where a cell ends with it; ``.show()`` opens it in the browser.

    Raises
    ------
    InputError
        The image can't be read.
    """
    _load()
    from p2p_keras.images import GalaxyImage
    from p2p_keras.images.reading import as_galaxy_image
    from p2p_keras.page.judging.results import image_of
    from p2p_keras.page.measuring.measure_page import MeasurePage
    from p2p_keras.page.measuring.models import Models
    from p2p_keras.page.places import Places

    if image is None:
        path = Path(str(profile.meta.get("source", "")))
        known = image_of(profile.meta, path, **options)
    else:
        if not isinstance(image, GalaxyImage):
            options = {k: profile.meta[k] for k in ("zero_point", "pixel_scale") if k in profile.meta} | options
        known = as_galaxy_image(image, **options)
    source = Path(known.source)
    page = MeasurePage(Places([source.parent if source.is_file() else Path()]), Models(), (source,))
    page.show_profile(known, profile)
    return page.layout()


def view(table: Any = None, *, images: Sequence[str | os.PathLike[str]] | str = ()) -> Any:
    """Show a table to judge, or a page to measure on.

    Parameters
    ----------
    table : path, list of QTable, astropy Table or DataFrame, optional
        What `p2p_keras.predict` or `p2p_keras.survey` wrote, profiles, or a table with a row per galaxy. The path of a
        FITS image opens the page to measure on.
    images : paths, optional
        Folders with the images that the table names, where they have moved since; or images to measure.

    Returns
    -------
    panel object

    Raises
    ------
    InputError, UsageError
        There is no such table or image.
    """
    _load()
    from p2p_keras.page.application import Application
    from p2p_keras.page.judging.judge_page import JudgePage
    from p2p_keras.page.judging.results import Results, results_of
    from p2p_keras.page.measuring.measure_page import MeasurePage
    from p2p_keras.page.places import Places

    names = [os.fspath(path) for path in ([images] if isinstance(images, (str, os.PathLike)) else images)]
    if table is None or isinstance(table, (str, os.PathLike)):
        application = Application.of([*([] if table is None else [os.fspath(table)]), *names])
        if application.results is not None:
            return JudgePage(application.results, application.places).layout()
        page = MeasurePage(application.places, application.models, application.images)
        if application.images:
            page.open(str(application.images[0]))
        return page.layout()
    results: Results = results_of(table)
    folders = [Path(name) if Path(name).is_dir() else Path(name).parent for name in names]
    return JudgePage(results, Places([Path(), *folders], results.sources())).layout()


def _load() -> None:
    import panel as pn

    pn.extension("filedropper", "tabulator", notifications=False)
