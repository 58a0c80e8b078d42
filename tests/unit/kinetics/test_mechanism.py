import numpy as np
import pytest

from msc_plans.families import built_in_families
from msc_plans.kinetics.mechanism import Constant, Mechanism, Nanocrystals, Prior, Step
from msc_plans.kinetics.mechanism_file import mechanisms, read_mechanisms

GUESS = Constant(Prior(0.0, 1.0, "test"), Prior(50.0, 1.0, "test"))
SPECIES = {"P": 1, "M": 1, "CdSe-403": 37}


def one_step(consumes, makes, rate=("M",), **more):
    return Mechanism("test", "", SPECIES, (Step("growth", consumes, makes, rate, GUESS),), **more)


def test_an_unbalanced_step_is_refused_by_name():
    with pytest.raises(ValueError, match="step 'growth' is not balanced: it consumes 36 formula units and makes 37"):
        one_step({"M": 36}, {"CdSe-403": 1})


def test_an_unknown_species_is_refused_by_name():
    with pytest.raises(ValueError, match="step 'growth': unknown species CdSe-500; known are P, M, CdSe-403"):
        one_step({"M": 1}, {"CdSe-500": 1})
    with pytest.raises(ValueError, match="unknown species ghost"):
        one_step({"M": 37}, {"CdSe-403": 1}, ("M", "ghost"))
    with pytest.raises(ValueError, match="unknown species NC"):
        one_step({"M": 100}, {"NC": 1})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (({"M": 37}, {"CdSe-403": 1}, ()), "its rate needs 1 to 3 factors, not 0"),
        (({"M": 37}, {"CdSe-403": 1}, ("P",)), "consumes M, which its rate doesn't depend on"),
        (({"M": -37}, {"CdSe-403": 1}), "consumes M: must be above 0, not -37"),
    ],
)
def test_a_rate_law_that_makes_no_sense_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        one_step(*arguments)


def test_bad_priors_and_doubles_are_refused():
    with pytest.raises(ValueError, match=r"sigma above 0, not 0\.0"):
        Prior(1.0, 0.0, "no reason")
    step = Step("growth", {"M": 37}, {"CdSe-403": 1}, ("M",), GUESS)
    with pytest.raises(ValueError, match="step growth given more than once"):
        Mechanism("twice", "", SPECIES, (step, step))
    with pytest.raises(ValueError, match="nanocrystals grow from 'M', which isn't one of its species"):
        Mechanism("none", "", {"P": 1}, (), Nanocrystals(100, GUESS, GUESS))


@pytest.mark.parametrize("name", list(mechanisms()))
def test_the_built_in_mechanisms_keep_the_units_and_have_a_source_for_every_prior(name):
    mechanism = mechanisms()[name]
    for term in mechanism.terms:
        units = sum(mechanism.contents[species] * amount for species, amount in term.changes)
        assert units == pytest.approx(0.0, abs=1e-9)
    assert set(built_in_families().names) < set(mechanism.names)
    assert all(len(prior.source) > 10 for prior in mechanism.priors)
    assert all(prior.sigma >= 0.9 for prior in mechanism.priors[: len(mechanism) // 2])
    assert all(prior.sigma >= 30 for prior in mechanism.priors[len(mechanism) // 2 :])


def test_the_mechanisms_differ_in_where_nanocrystals_come_from():
    sources = {name: {step.name for step in one.steps if "NC" in step.makes} for name, one in mechanisms().items()}
    assert sources == {
        "sequential": {"465 to NC"},
        "window": {"403 to NC"},
        "hot": {"465 to NC", "Nucl to NC"},
        "direct": {"465 to NC", "Nucl to NC"},
        "dead_end": {"M to NC"},
        "union": {"465 to NC", "403 to NC", "Nucl to NC", "M to NC"},
    }


def test_a_new_nanocrystal_has_the_moments_of_its_size():
    mechanism = mechanisms()["dead_end"]
    (term,) = [one for one in mechanism.terms if dict(one.changes).get(mechanism.index["NC x0"]) == 1]
    made = dict(term.changes)
    assert [made[mechanism.index[f"NC x{j}"]] for j in range(4)] == pytest.approx([100 ** (j / 3) for j in range(4)])
    assert made[mechanism.index["M"]] == -100


OWN = """
base = "palencia2020"

[steps.shortcut]
consumes = { CdSe-437 = 1, M = 40 }
makes = { NC = 1 }
rate = ["CdSe-437", "M"]
log10_k = [0.0, 1.0, "a guess"]
energy_kj_mol = [80.0, 40.0, "a guess"]

[mechanisms.mine]
title = "437 leads to nanocrystals"
steps = ["families", "shortcut"]
"""


def test_a_mechanism_of_ones_own_borrows_the_steps_of_the_base(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(OWN)
    found = read_mechanisms(path)
    assert list(found) == ["mine"]
    assert found["mine"].steps[-1].name == "shortcut"
    assert len(found["mine"].steps) == len(mechanisms()["sequential"].steps)
    assert np.isfinite([prior.mean for prior in found["mine"].priors]).all()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("M = 40", "M = 41", "mine.toml: step 'shortcut' is not balanced"),
        ('"shortcut"]', '"detour"]', "mechanism 'mine': unknown step detour"),
        ('[0.0, 1.0, "a guess"]', "[0.0, 1.0]", "step 'shortcut': log10_k must be .mean, sigma, source., not"),
        ("M = 40", 'M = "many"', "step 'shortcut' consumes M must be a number, not 'many'"),
        ('rate = ["CdSe-437", "M"]', "", "step 'shortcut': needs consumes, makes, rate"),
        ('"palencia2020"', '"nature2031"', "base 'nature2031' is neither built in nor a file beside it"),
        ("[mechanisms.mine]", "[mechanism.mine]", "unknown table mechanism; known are base, species"),
        ("[steps.shortcut]", "[steps.", "mine.toml is no TOML"),
        ("[steps.shortcut]", "steps = 3\n[x]", "unknown table x"),
        ("[steps.shortcut]", "nanocrystals = 7\n[steps.shortcut]", "nanocrystals: must be a table, not 7"),
        ("[steps.shortcut]", "groups = []\n[steps.shortcut]", r"groups: must be a table, not \[\]"),
        ("[steps.shortcut]", 'groups.few = "one"\n[steps.shortcut]', "group 'few' must be a list of names, not 'one'"),
        ('["families", "shortcut"]', '["families", []]', "mechanism 'mine': steps must be a list of names"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_the_place(tmp_path, old, new, words):
    path = tmp_path / "mine.toml"
    assert old in OWN
    path.write_text(OWN.replace(old, new, 1))
    with pytest.raises(ValueError, match=words):
        read_mechanisms(path)
