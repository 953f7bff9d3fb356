"""The paper's sentences, and others' on the same question, held against the cells.

Readings, fixed before any cell was measured; values are means over seeds:

- an attack counts where its trigger works on at least half of the suspect's images; it is mitigated
  if the best repair leaves at most 10 %, and robust if it leaves 50 % or more;
- "best" is chosen as the released code chooses, on test data within the budget of accuracy, which
  is the defender's most favourable case;
- undetected: no detector's AUC is above 0.6. The curve's attacks are taken together at each rate,
  so that an AUC rests on as many models as there are honest ones.
"""

import numpy as np
import pandas as pd
from scipy import stats

from datadeed.reports.cells import Claim
from papers.pick_your_poison.curve import CURVE, DETECTORS, rates, tradeoff
from papers.pick_your_poison.judge import PAPER
from papers.pick_your_poison.repair import SUSPECT
from papers.pick_your_poison.repaired import BEST

ABSTRACT = "Lukas & Kerschbaum (2023), abstract"
FST = "Min et al. (2023), abstract of arXiv 2310.01875"
WORKS, MITIGATED, ROBUST, UNDETECTED = 0.5, 0.1, 0.5, 0.6
UNTARGETED = ("ubw-p", "ubw-c")
CELLS = f'paper == "{PAPER}" and '


def claims(cells: pd.DataFrame) -> list[Claim]:
    """Every checkable sentence; none without cells."""
    if cells.empty:
        return []
    found, curve = rates(cells), tradeoff(cells)
    return [
        _mitigated(found),
        _no_free_count(curve),
        _rises(curve, "auc", "the more poison, the easier a model is told apart (AUC rises)"),
        _rises(curve, BEST, "the more poison, the more success is left after repair"),
        _control(found, cells),
        _low_rates_resist(found),
    ]


def _claim(
    name: str, statement: str, found: tuple[bool | None, str], cells: str, source: str = ABSTRACT
) -> Claim:
    """A claim; ``found`` is whether it holds, and the figure that decides."""
    return Claim(f"poison-{name}", PAPER, source, statement, *found, CELLS + cells)


def _success(found: pd.DataFrame, scenario: str) -> pd.DataFrame:
    """Success of the trigger, a row an attack and rate."""
    mine = found[(found["metric"] == "asr") & (found["scenario"] == scenario)]
    return mine[~mine["attack"].isin(UNTARGETED)].set_index(["attack", "rate"])


def _mitigated(found: pd.DataFrame) -> Claim:
    before, after = (_success(found, scenario)["value"] for scenario in (SUSPECT, BEST))
    left = after[before[before >= WORKS].index]
    statement = (
        "every attack is mitigated at a cost of at most 2 points of accuracy, with 1 % of trusted "
        "data (at most 10 % success left by the best repair)"
    )
    observed = "no attack works at this scale"
    if len(left):
        worst = left.reset_index().loc[left.to_numpy().argmax()]
        at: str = "" if pd.isna(worst["rate"]) else f" at {worst['rate']:.0f}/1000"
        shown = f"{left.max():.0%} ({worst['attack']}{at})"
        observed = f"{(left <= MITIGATED).sum()} of {len(left)}; {shown}"
    holds = bool((left <= MITIGATED).all()) if len(left) else None
    cells = f'table == 12 and scenario == "{BEST}" and metric == "asr"'
    return _claim("mitigated", statement, (holds, observed), cells)


def _no_free_count(curve: pd.DataFrame) -> Claim:
    pooled = curve[curve["attack"] == "all"]
    auc = pooled[list(DETECTORS)].max(axis=1)
    free = pooled[(pooled[BEST] >= ROBUST) & (auc <= UNDETECTED)]
    statement = (
        "no number of poisoned samples is both robust (50 % success left by the best repair) and "
        "undetected (no detector's AUC above 0.6)"
    )
    shown = "; ".join(
        f"{rate}/1000: {left:.0%}, AUC {a:.2f}"
        for rate, left, a in zip(pooled["rate"], pooled[BEST], auc, strict=True)
    )
    holds = free.empty if len(pooled) else None
    return _claim("no-free-count", statement, (holds, shown or _NONE), "table in (12, 13)")


_NONE = "no such cells at this scale"


def _rises(curve: pd.DataFrame, what: str, statement: str) -> Claim:
    """A rank correlation above 0 over the rates."""
    pooled = curve[curve["attack"] == "all"].sort_values("rate")
    values = pooled[list(DETECTORS)].max(axis=1) if what == "auc" else pooled[what]
    if len(pooled) < 3 or values.nunique() < 2:
        rho, observed = None, _NONE if len(pooled) < 3 else "the same at every rate"
    else:
        rho = float(stats.spearmanr(pooled["rate"], values).statistic)
        observed = f"rank correlation {rho:+.2f} over {len(pooled)} rates"
    name, table = ("auc-rises", 13) if what == "auc" else ("robustness-rises", 12)
    holds = None if rho is None and len(pooled) < 3 else bool(rho is not None and rho > 0)
    return _claim(name, f"{statement} (rank correlation)", (holds, observed), f"table == {table}")


def _control(found: pd.DataFrame, cells: pd.DataFrame) -> Claim:
    """Against BadNets at the same rate and trigger."""
    left = _success(found, BEST)["value"]
    scores = cells[(cells["metric"] == "score") & (cells["scenario"] == DETECTORS[0])]
    score = scores.groupby("watermark")["value"].mean()
    statement = (
        "an attacker who controls parameters is more robust at a detectability that is no higher "
        "(than BadNets at 30/1000 with the same trigger; calibrated inversion's score)"
    )
    names = ("controlled", "badnets-30")
    if not set(names) <= set(score.index):
        return _claim("control", statement, (None, _NONE), "table in (12, 13)")
    own, other = float(left["controlled"].iloc[0]), float(left["badnets", 30])
    holds = own > other and score[names[0]] <= score[names[1]]
    observed = (
        f"{own:.0%} left, score {score[names[0]]:.2f}; BadNets {other:.0%}, {score[names[1]]:.2f}"
    )
    return _claim("control", statement, (bool(holds), observed), "table in (12, 13)")


def _low_rates_resist(found: pd.DataFrame) -> Claim:
    """Share of the success that fine-tuning leaves, at the lowest and highest rate that works."""
    before, after = (_success(found, name)["value"] for name in (SUSPECT, "fine-tuning"))
    ratios = []
    for attack in CURVE:
        mine = before.get(attack, pd.Series(dtype=float))
        works = mine[mine >= WORKS].sort_index()
        if len(works) >= 2:
            low, high = works.index[0], works.index[-1]
            ratios.append([after[attack, rate] / before[attack, rate] for rate in (low, high)])
    statement = (
        "fine-tuning fails at low poison rates and works at high ones (it leaves more of the "
        "success at the lowest rate that works than at the highest, in the curve's mean)"
    )
    if not ratios:
        return _claim("low-rates-resist", statement, (None, _NONE), "table == 12", FST)
    low, high = np.mean(ratios, axis=0)
    observed = f"{low:.0%} left at the lowest, {high:.0%} at the highest; {len(ratios)} attacks"
    return _claim("low-rates-resist", statement, (bool(low > high), observed), "table == 12", FST)
