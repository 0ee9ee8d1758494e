"""Evidence beside every picture: how far to trust it, and what interventions say of its unit.

Read from what a store holds: natural examples, scores, paths and validations; whatever is missing
is left open. `docs/evidence.md` says how to read it.
"""

from featviz.evidence.fdr import q_values
from featviz.evidence.summary import Summary, summary
from featviz.evidence.units import Evidence, Evidences, evidence

__all__ = ["Evidence", "Evidences", "Summary", "evidence", "q_values", "summary"]
