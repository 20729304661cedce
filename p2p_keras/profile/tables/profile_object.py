"""A profile as an object: the `astropy.table.QTable` of the contract that also draws itself.

In a file of its own since a class needs astropy when it is defined, which `p2p_keras.profile` doesn't.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from astropy.table import QTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from p2p_keras.images import GalaxyImage

__all__ = ["Profile"]


EXPLORER = "p2p_keras.page"
"""Package whose ``explore`` shows a profile: named, not imported, since a table stands without any page."""


class Profile(QTable):
    """What `Predictor`, `ProfileClient` and `read_profiles` return: a `QTable` in all respects, with drawings.

    Columns, units and ``meta`` are those of `p2p_keras.profile`. Any table with these columns can become one:
    ``Profile(QTable.read("galaxy.ecsv"))``.

    Examples
    --------
    >>> profile = predictor.predict("galaxy.fits")
    >>> profile.plot(radius="r^1/4")["axes"].figure.savefig("profile.pdf")
    >>> profile.figure("galaxy.fits").savefig("galaxy.png")
    """

    def plot(self, ax: Axes | None = None, **options: Any) -> dict[str, Any]:
        """Draw surface brightness against radius.

        Parameters
        ----------
        ax : Axes, optional
        **options
            Those of `p2p_keras.profile.plots.plot_profile`, which also says what is returned.
        """
        from p2p_keras.profile.plots import plot_profile

        return plot_profile(self, ax, **options)

    def figure(self, image: GalaxyImage | Any, *, truth: Any = None, **options: Any) -> Figure:
        """Draw image with ellipses, profile, geometry and growth; see `p2p_keras.profile.plots.galaxy_figure`.

        Parameters
        ----------
        image : GalaxyImage, path or array
            What was measured. A path or array is read with the zero point and pixel scale of the profile, and with
            ``options`` as `p2p_keras.Predictor.predict` takes them.
        truth : LabelledGalaxy, QTable or mapping, optional
            Another profile to draw beside it.
        """
        from p2p_keras.images.reading import as_galaxy_image
        from p2p_keras.profile.plots import galaxy_figure

        known = {key: self.meta[key] for key in ("zero_point", "pixel_scale") if key in self.meta}
        return galaxy_figure(as_galaxy_image(image, **(known | options)), self, truth=truth)

    def explore(self, image: GalaxyImage | Any = None, **options: Any) -> Any:
        """Show the profile with its image in a notebook, linked: a radius lights its ellipse, a click measures another.

        Needs the extra ``view``.

        Parameters
        ----------
        image : GalaxyImage, path or array, optional
            What was measured; by default it is read from ``meta["source"]``.
        **options
            As `p2p_keras.Predictor.predict` takes them, for an image that isn't read the same way by default.

        Returns
        -------
        panel object
        """
        return import_module(EXPLORER).explore(self, image, **options)
