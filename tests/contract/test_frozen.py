"""`palencia2020` is frozen: campaigns, benchmarks and docs/twin.md were made with these very values."""

import hashlib
from pathlib import Path

import pytest

from ioc_sim.claims import check
from ioc_sim.claims_page import page
from ioc_sim.physics.scenario_file import load_scenario

SHA_256 = "b1c43a7f02c3e54d0e865744114f9e516a4aea58e4f4ff110c6b84d51c127825"
CARRIED = {
    "F1-window", "F1-static", "F1-grow", "S2-short", "S3-density", "K-persist", "K-shift", "K-final",
    "F3-lamellae", "F3-origin", "F4-sizes", "X-agree",
}  # fmt: skip


def test_the_default_scenario_has_not_changed():
    text = load_scenario("palencia2020").model_dump_json()
    assert hashlib.sha256(text.encode()).hexdigest() == SHA_256, (
        "palencia2020 is frozen; write a scenario of your own with base = 'palencia2020'"
    )


def test_the_claims_are_carried_as_the_page_says():
    findings = check(load_scenario("palencia2020"))
    assert {finding.claim for finding in findings if finding.carried} == CARRIED
    written = (Path(__file__).parents[2] / "docs" / "twin.md").read_text()
    for row in findings:
        assert f"| {row.claim} | {row.expected} |" in written
        verdict = "carried |" if row.carried else "**not carried** |"
        assert next(line for line in written.splitlines() if line.startswith(f"| {row.claim} ")).endswith(verdict)
    assert page("palencia2020", findings).count("**not carried**") == 3


def test_a_family_outside_the_twins_chemistry_is_not_seen():
    """`sequential` has no 382: the plain analysis must not find one."""
    findings = {finding.claim: finding for finding in check(load_scenario("sequential"))}
    assert "CdSe-382" not in findings["F4-sizes"].found
    assert "382" not in findings["S2-short"].found.split(";")[2]


@pytest.mark.parametrize("name", ["shifted", "direct"])
def test_other_chemistry_does_not_carry_all(name):
    findings = {finding.claim: finding.carried for finding in check(load_scenario(name))}
    assert not all(findings[claim] for claim in CARRIED)
    assert findings["F3-lamellae"]
    assert findings["X-agree"]
