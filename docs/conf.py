"""The site: built from these pages, from the docstrings, and from the commands' own help."""

from langmodel import __version__

project = "langmodel"
author = "the langmodel authors"
release = version = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_click"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
html_theme = "furo"
html_title = f"langmodel {version}"
exclude_patterns = ["_build"]
nitpicky = False
suppress_warnings = ["myst.xref_missing"]
