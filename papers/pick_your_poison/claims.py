"""The paper's sentences, and others' on the same question, held against the cells.

Readings, fixed before any cell was measured; values are means over seeds:

- an attack counts where its trigger works on at least half of the suspect's images; it is mitigated
  if the best repair leaves at most 10 %, and robust if it leaves 50 % or more; a rate is robust if
  any of the curve's attacks is;
- "best" is chosen as the released code chooses, on test data within the budget of accuracy, which
  is the defender's most favourable case;
- undetected: the AUC of the paper's own detector, calibrated inversion, is not above 0.6. The
  curve's attacks are taken together at each rate.
"""

import itertools

import numpy as np
import pandas as pd
from scipy import stats

from datadeed.reports.cells import Claim
from papers.pick_your_poison.curve import ALL, CURVE, DETECTORS, rates, tradeoff
from papers.pick_your_poison.judge import PAPER
from papers.pick_your_poison.repair import SUSPECT
from papers.pick_your_poison.repaired import BEST

ABSTRACT = "Lukas & Kerschbaum (2023), abstract"
FST = "Min et al. (2023), abstract of arXiv 2310.01875"
WORKS, MITIGATED, ROBUST, UNDETECTED = 0.5, 0.1, 0.5, 0.6
UNTARGETED = ("ubw-p", "ubw-c")
DETECTOR = DETECTORS[0]  # the paper's own
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


def _success(found: pd.DataFrame, scenario: str, metric: str = "asr") -> pd.DataFrame:
    """Success of the trigger, a row an attack and rate."""
    mine = found[(found["metric"] == metric) & (found["scenario"] == scenario)]
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
    pooled = curve[curve["attack"] == ALL].set_index("rate")
    auc = pooled[DETECTOR]
    left = curve[curve["attack"].isin(CURVE)].groupby("rate")[BEST].max()
    free = left[(left >= ROBUST) & (auc <= UNDETECTED)]
    statement = (
        "no number of poisoned samples is both robust (50 % success of an attack left by the best "
        "repair) and undetected (AUC of calibrated inversion at most 0.6)"
    )
    shown = "; ".join(
        f"{rate}/1000: {most:.0%}, AUC {area:.2f}"
        for rate, most, area in zip(left.index, left, auc.loc[left.index], strict=True)
    )
    holds = free.empty if len(pooled) else None
    return _claim("no-free-count", statement, (holds, shown or _NONE), "table in (12, 13)")


_NONE = "no such cells at this scale"


def _rises(curve: pd.DataFrame, what: str, statement: str) -> Claim:
    """A rank correlation above 0 over the rates; chance gives one half of the time."""
    pooled = curve[curve["attack"] == ALL].sort_values("rate")
    values = pooled[DETECTOR if what == "auc" else what].to_numpy()
    name, table = ("auc-rises", 13) if what == "auc" else ("robustness-rises", 12)
    found: tuple[bool | None, str] = None, _NONE
    if len(values) >= 3:
        rho, p = _rank_correlation(values)
        observed = f"rank correlation {rho:+.2f} over {len(values)} rates, exact p {p:.2g}"
        found = rho > 0, observed
    return _claim(name, f"{statement} (rank correlation)", found, f"table == {table}")


def _rank_correlation(values: np.ndarray) -> tuple[float, float]:
    """Spearman's, with the order; the share of orders that give as much or more. 0 if all equal."""
    ranks = stats.rankdata(values)
    order = np.arange(len(values)) - (len(values) - 1) / 2
    if ranks.std() == 0:
        return 0.0, 1.0
    scores = np.array([order @ np.array(p) for p in itertools.permutations(ranks)])
    rho = order @ ranks / (len(values) * order.std() * ranks.std())
    return float(rho), float((scores >= order @ ranks - 1e-9).mean())


def _control(found: pd.DataFrame, cells: pd.DataFrame) -> Claim:
    """Against BadNets at the same rate and trigger."""
    left = _success(found, BEST)["value"]
    scores = cells[(cells["metric"] == "score") & (cells["scenario"] == DETECTORS[0])]
    score = scores.groupby("watermark")["value"].mean()
    statement = (
        "an attacker who controls parameters is more robust at a detectability that is no higher "
        "(than BadNets at 30/1000, which poisons fewer images, with the same trigger; score of "
        "calibrated inversion)"
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
    """Share of the success that all steps of fine-tuning leave, at two rates that work."""
    before = _success(found, SUSPECT)["value"]
    after = _success(found, "fine-tuning", "asr_last")["value"]
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
