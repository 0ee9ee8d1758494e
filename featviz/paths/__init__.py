"""Whether a picture travels through the network as natural images do that excite its unit.

A picture may reach its unit by a way that no natural image takes; then it says nothing about what
the unit does with natural images, however high its value.

Source: Geirhos et al., "Don't trust your eyes: on the (un)reliability of feature visualizations",
ICML 2024, who build such networks, and compare layer by layer.
"""

from featviz.evidence.checks import follows
from featviz.paths.job import Summary, paths_to_store
from featviz.paths.route import Route, route

__all__ = ["Route", "Summary", "follows", "paths_to_store", "route"]
