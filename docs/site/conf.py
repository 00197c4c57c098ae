"""Settings of Sphinx for `make docs`, which builds the documentation as a site in the folder site/."""

# The source folder is that of the repository, so that links between pages are the same on the site and on GitHub. Files
# that are linked but are not pages, such as source code, are copied to the site.

import importlib.metadata

project = "nlb-search"
release = importlib.metadata.version("nlb-search")
root_doc = "docs/index"
include_patterns = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/RESULTS.md", "docs/**"]
exclude_patterns = ["docs/site"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinxcontrib.mermaid"]

myst_heading_anchors = 3
myst_fence_as_directive = ["mermaid"]
nb_execution_mode = "off"  # a test executes the tutorial; its stored outputs are shown
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = f"nlb-search {release}"
html_copy_source = False
html_show_copyright = False
