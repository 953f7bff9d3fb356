import copy
import json
import stat
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from datadeed.errors import EvidenceError
from datadeed.owner.evidence import schema
from datadeed.owner.evidence.schema import check_evidence, parse_json, read_evidence, write_evidence
from tests.owner.evidence.samples import evidence

FORM_2 = "evidence-2.schema.json"


def test_evidence_comes_back_as_it_was_and_only_its_owner_reads_it(tmp_path):
    path = tmp_path / "evidence.json"
    write_evidence(path, evidence())
    assert read_evidence(path) == evidence()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(schema._validator(FORM_2).schema)


def objects(node: Any) -> list[dict[str, Any]]:
    """Every part of the schema that describes an object."""
    if isinstance(node, list):
        return [found for entry in node for found in objects(entry)]
    if not isinstance(node, dict):
        return []
    own = [node] if node.get("type") == "object" else []
    return own + [found for entry in node.values() for found in objects(entry)]


def test_no_object_takes_fields_that_the_schema_does_not_name():
    whole = schema._validator(FORM_2).schema
    free = whole["properties"]["suspect"]["properties"]["declared"]  # as a configuration has it
    described = objects(whole)
    assert len(described) > 15
    for node in (node for node in described if node is not free):
        assert node.get("additionalProperties") is not None
        assert node["additionalProperties"] is False or "required" in node


def set_field(path: str, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(evidence())
    *parents, last = path.split(".")
    node: Any = changed
    for name in parents:
        node = node[int(name)] if isinstance(node, list) else node[name]
    place = int(last) if isinstance(node, list) else last
    if value is ...:
        del node[place]
    else:
        node[place] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("form", "datadeed/evidence/3"),
        ("made_at", "yesterday"),
        ("made_at", "2026-11-22T09:00:00.000Z\n"),
        ("made_at", "2026-11-22T09:00:00+01:00"),
        ("suspect.kind", "logits"),
        ("suspect.fingerprint", "0B" * 32),
        ("suspect.fingerprint", "0b" * 32 + "\n"),
        ("suspect.groups", [[]]),
        ("suspect.groups.0", [0, -1]),
        ("suspect.declared", "logits"),
        ("key.beacon", {"source": "drand", "round": 0, "value": "0d" * 32}),
        ("design.classes", ["cat"]),
        ("design.targets", [1]),
        ("design.alpha", 0),
        ("design.alpha", True),
        ("design.alpha_key", 0.1),
        ("key_layer.p_value", 1.1),
        ("key_layer.images", 1.5),
        ("key_layer.log_e", 1.5e308),
        ("key_layer.looks.0", [1]),
        ("key_layer.looks.0", [1, 2.0, 3]),
        ("key_layer.parts.0.extra", 1),
        ("key_layer.parts.0.kept", 1),
        ("effect.high", 1.5),
        ("effect.level", 1),
        ("findings", "it refuses"),
        ("premises.0.status", "likely"),
        ("multiplicity.keys", 0),
        ("curve.0.step", "court"),
        ("queries.cost", -1),
        ("verdict.word", "INNOCENT"),
        ("verdict.tested", "all"),
        ("surprise", 1),
    ],
)
def test_a_wrong_field_is_named_in_one_line(tmp_path, path, value):
    with pytest.raises(EvidenceError) as raised:
        write_evidence(tmp_path / "evidence.json", set_field(path, value))
    message = str(raised.value)
    names = [name for name in path.split(".") if not name.isdigit()]
    assert names[-1] in message
    assert "\n" not in message
    assert not (tmp_path / "evidence.json").exists()


@pytest.mark.parametrize("field", sorted({*evidence()} - {"clean"}))
def test_no_field_can_be_left_out(field):
    with pytest.raises(EvidenceError, match=f"'{field}' is a required property"):
        check_evidence(set_field(field, ...), "evidence.json")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("key.beacon", None),
        ("key.timestamp", None),
        ("suspect.endpoint", None),
        ("suspect.declared", {}),
        ("queries.cost", 1.25),
        ("key_layer.parts", []),
        ("key_layer.looks", []),
        ("key_layer.log_e", 1e308),
        ("premises", []),
        ("curve", []),
        ("clean", ...),
    ],
)
def test_what_may_be_empty_or_huge_is_taken(path, value):
    check_evidence(set_field(path, value), "evidence.json")


def test_a_claim_without_the_key_layer_is_no_evidence():
    value = set_field("key_layer.passed", False)
    with pytest.raises(EvidenceError, match=r"key_layer\.passed"):
        check_evidence(value, "evidence.json")
    value["verdict"]["word"] = "INCONCLUSIVE"
    check_evidence(value, "evidence.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "-Infinity"),
        ('{"a": 1e999}', "too large"),
        ('{"a": 1, "a": 2}', "twice"),
        ("[" * 10**5, "not strict JSON"),
        ('{"a": ' + "9" * 5000 + "}", "not strict JSON"),
        ("", "not strict JSON"),
        ("[1] [2]", "not strict JSON"),
    ],
)
def test_lax_json_is_refused(text, message):
    with pytest.raises(EvidenceError, match=message) as raised:
        parse_json(text.encode(), "evidence.json")
    assert "\n" not in str(raised.value)


def test_what_is_not_utf_8_missing_or_too_large_is_refused(tmp_path):
    path = tmp_path / "evidence.json"
    with pytest.raises(EvidenceError, match="cannot be read"):
        read_evidence(path)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(EvidenceError, match="not strict JSON"):
        read_evidence(path)
    with path.open("r+b") as file:
        file.truncate(schema.LARGEST_FILE + 1)
    with pytest.raises(EvidenceError, match="larger than"):
        read_evidence(path)


def test_a_hostile_value_stays_one_short_printable_line():
    value = set_field("verdict.word", "\x1b[2J\n" * 10_000)
    with pytest.raises(EvidenceError) as raised:
        check_evidence(value, "evidence.json")
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 600


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@settings(max_examples=60)
@given(value=JSON, field=st.sampled_from(sorted(evidence())))
def test_any_value_in_any_field_is_judged_without_a_crash(value, field):
    try:
        check_evidence(set_field(field, value), "evidence.json")
    except EvidenceError:
        return
    json.dumps(value, allow_nan=False)  # what passes can be written
