"""The mended draw of modality dropout: its worth for scores, and for the paper's claims (spec colearning, quirk 1)."""

import pandas as pd

from lib.papers.colearning import Colearning, IemocapColearning
from lib.papers.colearning.study import mended, rate, unimodal
from lib.reporting import claims, gains, mended_claims
from lib.reporting.mended_claims import Comparison
from lib.study import Runs

QUIRK = "1"


def over_published(p: Colearning, runs: Runs, metric: str) -> pd.DataFrame:
    """Gain of the mended draw, which the run has, over the published one, at the rate of the contrast."""
    return gains.pairs(runs.table, metric, [(mended(p), rate(p.contrast))], runs)


def claims_mended(p: Colearning, runs: Runs, metric: str) -> pd.DataFrame:
    """What the mended draw does to the claims about dropping the support; rows of `mended_claims.table`, empty without
    one. What it is set against draws nothing.
    """
    if not p.mended_draw:
        return pd.DataFrame()
    each, none = gains.sides(runs.table, metric, runs=runs), rate(0.0)
    over = {"dropout_adds": (none, f"gain_{metric}_over_rate_0")}
    if isinstance(p, IemocapColearning):
        over = {
            "dropout_repairs": (none, f"gain_{metric}_over_rate_0"),
            "negative_turned_positive": (unimodal(p), f"published_{metric}"),
        }
    found = []
    for name, (baseline, table) in over.items():
        claim = claims.named(name)
        found.append(
            Comparison(
                quirk=QUIRK,
                mend=f"dropout_draw: {p.mended_draw}",
                claim=claim,
                margin=claim.margin_in(table),
                what=f"{rate(p.contrast)} over {baseline}",
                published=(each[rate(p.contrast)], each[baseline]),
                mended=(each[mended(p)], each[baseline]),
            )
        )
    return mended_claims.table(found, metric)
