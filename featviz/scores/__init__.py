"""Numbers of pictures: how they were reached, how natural they are, and whether they hold.

Each is measured on the stored picture; `docs/scores.md` says what they mean.
"""

from featviz.evidence.checks import converged
from featviz.scores.convergence import rise
from featviz.scores.energy import fine_share, grid_share
from featviz.scores.job import Summary, scores_to_store
from featviz.scores.measure import Scores, score
from featviz.scores.natural import spectrum_distance
from featviz.scores.views import held_out

__all__ = [
    "Scores",
    "Summary",
    "converged",
    "fine_share",
    "grid_share",
    "held_out",
    "rise",
    "score",
    "scores_to_store",
    "spectrum_distance",
]
