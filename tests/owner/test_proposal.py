"""What is proposed can be committed, what is warned of is so, and what is offered helps."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datadeed.errors import KeyRecordError
from datadeed.keys.generation2 import Design2
from datadeed.owner.alternatives import alternatives, changed, in_words, plain_carrier
from datadeed.owner.commit_checks import check_design
from datadeed.owner.plan_figures import LEAST, plenty
from datadeed.owner.proposal import CHEAP_RATE, MOST_RATE, Demand, propose, relabels


def demand(classes=10, rows=50_000, carrier="patch", pool=2000, **values):
    levels = {n: values.pop(n) for n in ("alpha", "least_effect", "budget") if n in values}
    design = Design2(
        classes=tuple(map(str, range(classes))),
        channels=1,
        targets=tuple(range(classes)),
        carrier=plain_carrier(carrier),
        **levels,
    )
    even = {"smallest": max(1, rows // classes)}
    return Demand(design, rows, pool=pool, **(even | values))


def told(**values):
    """Parts, rate and marks a part, and the kinds of cautions."""
    made = propose(demand(**values))
    return made.design.parts, made.design.rate, made.marks_a_part, set(made.kinds)


class TestKnownAnswers:
    def test_where_rows_allow_it_there_are_spare_parts(self):
        assert told(rows=50_000) == (12, 0.036, 150, set())
        assert told(rows=18_000) == (12, 0.1, 150, set())

    def test_else_a_part_fewer(self):
        assert told(rows=17_999) == (11, 0.092, 150, set())
        assert told(rows=12_000) == (8, 0.1, 150, set())

    def test_then_they_cost_accuracy(self):
        assert told(rows=11_999) == (12, 0.151, 150, {"cost"})
        assert told(rows=7_200) == (12, 0.25, 150, {"cost"})

    def test_then_marks_are_few(self):
        assert told(rows=5_000) == (12, 0.25, 104, {"few", "cost"})
        assert told(rows=1_920) == (12, 0.25, 40, {"few", "cost"})

    def test_then_parts(self):
        assert told(rows=1_919) == (11, 0.25, 43, {"few", "cost"})
        assert told(rows=1_280) == (8, 0.25, 40, {"few", "cost"})

    def test_then_no_key_is_made(self):
        assert told(rows=1_279) == (12, 0.25, 26, {"marks", "few", "cost"})
        assert told(rows=1_279, few_marks=True) == (12, 0.25, 26, {"few", "cost"})

    def test_of_two_classes(self):
        assert told(classes=2, rows=50_000) == (33, 0.099, 150, set())

    def test_mosaics_lie_on_rows_of_their_class(self):
        assert told(rows=50_000, carrier="mosaic") == (24, 0.039, 81, set())
        assert told(rows=20_000, carrier="mosaic") == (24, 0.096, 80, set())
        assert told(rows=12_000, carrier="mosaic") == (15, 0.1, 80, set())
        assert told(classes=500, rows=50_000, carrier="mosaic") == (15, 0.024, 80, set())
        assert told(rows=50_000, carrier="mosaic", smallest=39)[2:] == (39, {"marks", "few"})

    def test_there_are_forty_eight_mosaics(self):
        more = {"classes": 2, "rows": 10**6, "alpha": 1e-9}
        assert told(**more)[0] == 54
        assert told(**more, carrier="mosaic")[0] == 48

    def test_what_is_fixed_stays(self):
        assert told(parts=12, rows=5_000) == (12, 0.25, 104, {"few", "cost"})
        assert told(rate=0.02) == (12, 0.02, 83, {"few"})
        assert told(rate=0.007) == (8, 0.007, 43, {"few"})
        assert told(rate=0.006) == (12, 0.006, 25, {"marks", "few"})
        assert told(parts=20, rate=0.3) == (20, 0.3, 750, {"cost"})

    def test_fewer_parts_where_the_budget_pays_for_no_more(self):
        """Twelve and 38 questions of pairs until an honest model is cleared."""
        assert told(budget=50)[0] == 12
        assert told(budget=49) == (11, 0.033, 150, set())
        assert told(budget=46)[0] == 8
        assert told(budget=45)[3] == {"design"}

    def test_images_too_small_for_a_carrier(self):
        assert told(size=16, carrier="mosaic")[3] == set()
        assert told(size=15, carrier="mosaic")[3] == {"size"}
        assert told(size=8)[3] == set()
        assert told(size=7)[3] == {"size"}


class TestWords:
    def test_small_data_are_told_what_to_do(self):
        wanted = demand(rows=5_000, parts=12)
        made = propose(wanted)
        few, cost = in_words(made, alternatives(wanted, made))
        assert few.startswith("104 marks a part: fewer than 150 were not always learnt")
        assert "; instead, take 8 parts (8 parts, 24.0%, 150 each), or " in few
        assert cost.startswith("marking 25% of the rows will cost accuracy: ")

    def test_marks_that_were_hardly_learnt(self):
        """20,000 rows with 33 marks a part, of which 2 to 5 % of the questions were hit."""
        made = propose(demand(rows=20_000, parts=12, rate=0.02, few_marks=True))
        assert made.cautions[0].text.endswith("in 2 to 5 % of samples: expect INCONCLUSIVE")
        made = propose(demand(rows=20_000, parts=12, rate=0.05))
        assert "work in" in made.cautions[0].text
        assert "INCONCLUSIVE" not in made.cautions[0].text

    @pytest.mark.parametrize(
        ("values", "text"),
        [
            ({"parts": 6}, "6 parts with labels among 10 classes cannot reach 1/alpha"),
            ({"parts": 600}, "budget is 400, but a claim takes 600 counted questions"),
            ({"budget": 45}, "budget is 45, but NOT SUPPORTED takes 12 + "),
            ({"least_effect": 0.05}, "least_effect is 0.05: the 45 pairs"),
            ({"pool": 1}, "the pool has 1 samples"),
            ({"rows": 5, "rate": 0.5}, "rate 0.5 of 5 rows is 2 marks for 12 parts"),
            ({"size": 7}, "images of 7 pixels are too small for a patch: 8 or more a side"),
            ({"rate": 0.005}, "20 marks a part, fewer than 40: no key is made"),
        ],
    )
    def test_why_no_key_is_made(self, values, text):
        assert propose(demand(**values)).refused.startswith(text)


DEMANDS = {
    "classes": st.integers(2, 1000),
    "rows": st.one_of(st.integers(50, 20_000), st.integers(50, 10**7)),
    "carrier": st.sampled_from(["patch", "mosaic"]),
    "alpha": st.sampled_from([1e-9, 1e-6, 1e-4, 0.01]),
    "few_marks": st.booleans(),
}
FIXED = st.one_of(st.none(), st.integers(2, 48)), st.one_of(st.none(), st.floats(0.001, 0.9))
LEVELS = {
    "budget": st.sampled_from([20, 100, 400, 1000]),
    "pool": st.sampled_from([3, 30, 2000]),
    "smallest": st.one_of(st.none(), st.integers(1, 300)),
}


def wanted_of(values, parts, rate):
    if values["smallest"] is None:
        values = {name: value for name, value in values.items() if name != "smallest"}
    else:
        values = values | {"smallest": min(values["smallest"], values["rows"])}
    return demand(parts=parts, rate=rate, **values)


def commits(wanted, made):
    """Whether a commitment would be made, by what it checks itself."""
    each = made.design.marks(wanted.rows) // made.design.parts
    if not relabels(made.design):
        each = min(each, wanted.smallest)
    check_design(made.design, wanted.pool)
    return each >= LEAST or wanted.few_marks


class TestProperties:
    @settings(max_examples=40, deadline=None)
    @given(st.fixed_dictionaries(DEMANDS | LEVELS), *FIXED)
    def test_what_is_refused_is_exactly_what_cannot_be_committed(self, values, parts, rate):
        wanted = wanted_of(values, parts, rate)
        made = propose(wanted)
        try:
            can = commits(wanted, made)
        except KeyRecordError:
            can = False
        assert can is not bool(made.refused)

    @settings(max_examples=40, deadline=None)
    @given(st.fixed_dictionaries(DEMANDS))
    def test_without_anything_fixed_a_refusal_is_for_want_of_rows(self, values):
        """With the usual budget and pool; parts and a rate are always found where there are any."""
        made = propose(demand(**values))
        enough = demand(**values).enough
        if values["carrier"] == "patch" and values["rows"] >= 4 * LEAST * enough:
            assert not made.refused
        assert (
            "design" not in made.kinds
            or values["rows"] * MOST_RATE < made.design.parts
            or (values["carrier"] == "mosaic" and enough > 48)
        )

    @settings(max_examples=40, deadline=None)
    @given(st.fixed_dictionaries(DEMANDS | LEVELS), *FIXED)
    def test_cautions_agree_with_the_numbers(self, values, parts, rate):
        wanted = wanted_of(values, parts, rate)
        made = propose(wanted)
        assert made.marks_a_part * made.design.parts <= made.marks + made.design.parts
        assert made.marks <= wanted.rows
        assert ("few" in made.kinds) is (made.marks_a_part < plenty(values["carrier"]))
        assert ("marks" in made.kinds) is (made.marks_a_part < LEAST and not wanted.few_marks)
        assert ("cost" in made.kinds) is (made.design.rate > CHEAP_RATE)
        if rate is None:
            assert made.design.rate <= MOST_RATE
        for caution in made.cautions:
            assert "\n" not in caution.text
            if caution.kind in ("few", "marks"):
                assert caution.text.startswith(f"{made.marks_a_part} marks a part")

    @settings(max_examples=25, deadline=None)
    @given(st.fixed_dictionaries(DEMANDS | LEVELS), *FIXED)
    def test_what_is_offered_helps_and_does_no_harm(self, values, parts, rate):
        wanted = wanted_of(values, parts, rate)
        made = propose(wanted)
        for offer in alternatives(wanted, made):
            then = propose(changed(wanted, offer.change))
            assert offer.removes
            assert not then.kinds & offer.removes
            assert then.kinds < made.kinds

    @settings(max_examples=40, deadline=None)
    @given(st.fixed_dictionaries(DEMANDS))
    def test_more_rows_are_never_worse(self, values):
        fewer, more = demand(**values), demand(**(values | {"rows": 2 * values["rows"]}))
        cost = {"cost"} if values["carrier"] != "patch" else set()  # a larger class takes more
        assert propose(more).kinds - cost <= propose(fewer).kinds

    @settings(max_examples=40, deadline=None)
    @given(st.fixed_dictionaries(DEMANDS))
    def test_what_was_proposed_and_then_is_fixed_gives_the_same(self, values):
        wanted = demand(**values)
        made = propose(wanted)
        design = made.design
        fixed = dataclasses.replace(wanted, parts=design.parts, rate=design.rate)
        assert propose(fixed) == made
