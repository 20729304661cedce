"""The documentation's site: Markdown pages, and the API from docstrings. Built by ``make docs``."""

from importlib.metadata import version as version_of

project = "p2p_keras"
author = "p2p_keras developers"
copyright = author
release = version = version_of("p2p-keras")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["dollarmath", "smartquotes"]
myst_heading_anchors = 3  # links such as serving.md#tls
suppress_warnings = [
    "ref.python",  # `sma` in a docstring may be an attribute of several classes
]

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
default_role = "py:obj"  # `name` in a docstring links to the name where it is documented here

html_theme = "furo"
html_title = f"p2p_keras {release}"
html_show_copyright = False
html_show_sphinx = False
