"""What differs from the paper and its code, read from plans; where runs come from."""

import statistics

import pytest

from ablations.merged import orphaned_runs
from ablations.store import Store
from ablations.study import Contrast
from ablations.tuning import Choice, Trial
from alexnet.presets import alexnet_cifar, cifar_80sec, paper, source_2012
from reports.evidence import EVIDENCE
from reports.figures.tuning import draw_tuning
from reports.findings.deviations import Deviation, deviations, nearest, whole_network
from reports.findings.paper_tables import (
    Error,
    Result,
    elsewhere,
    elsewhere_table,
    results,
    table_1,
    table_2,
)
from reports.findings.provenance import provenance
from reports.findings.sections import Section, sections
from reports.page.tables import certainty_table
from reports.wording.config_summary import facets
from tests.builders.plans import filled, in_setting, of_errors, with_measures
from tests.builders.records import FINGERPRINT, PROVENANCE, REF, measures_of, record_of

HELPS = Contrast(arm="with", against="without", claim="C13", paper=-0.014, direction="lower")


def of(rows: list[Deviation], what: str) -> Deviation:
    """Return the row of a facet."""
    return next(row for row in rows if row.what == what)


def section_of(config, results_folder, **changes) -> Section:
    """Return the section of a study whose two arms are a config, and it without dropout."""
    plan, store = filled(results_folder, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    arms = {"tanh": config.but(network={"parts": {"act": {"kind": "tanh"}}}), "relu": config}
    update = {"arms": arms, **changes}
    definition = plan.definition.model_copy(update=update)
    return sections(store)[0].model_copy(
        update={"plan": plan.model_copy(update={"definition": definition})}
    )


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (paper(), "paper"),
        (source_2012(), "source_2012"),
        (cifar_80sec(), "cifar_80sec"),
        (alexnet_cifar(), "paper"),
    ],
)
def test_a_setting_is_held_against_the_network_it_is_nearest_to(config, name) -> None:
    """The paper's own, the code's, the CIFAR code's; our small one descends from the text."""
    assert nearest(facets(config)) == name


def test_the_papers_own_network_deviates_from_the_code_alone(results) -> None:
    """What differs between arms, the activation, is the question and no deviation."""
    rows = deviations([section_of(paper(), results)])

    assert of(rows, "rate of biases").text == "the same"
    assert of(rows, "rate of biases").code == "x 2, x 0.1 after 23 epochs"
    assert of(rows, "rate of biases").measured_by == ("code_vs_paper",)
    assert "activation" not in {row.what for row in rows}
    assert "view" not in {row.what for row in rows}


def test_small_images_and_bfloat16_are_deviations_and_say_who_measures_them(results) -> None:
    """28 pixels for 224: nobody measures that."""
    rows = deviations([section_of(alexnet_cifar(), results, precision="bfloat16")])

    assert (of(rows, "view").here, of(rows, "view").measured) == ("28 px", "not measured")
    assert of(rows, "precision").measured == "bfloat16"
    assert of(rows, "precision").here == "bfloat16 in layers"
    assert of(rows, "precision").where == ("relu_vs_tanh@fashion_mini",)
    exact = deviations([section_of(alexnet_cifar(), results, precision="float64")])
    assert of(exact, "precision").here == "float64 throughout"


def test_what_one_arm_leaves_out_is_in_force_in_the_others(results) -> None:
    """Crops from anywhere are no crops from 32 x 32 places; a norm as printed is the question."""
    whole = alexnet_cifar()
    arms = {
        "no crops": whole.but(inputs={"random_crops": False}),
        "no LRN": whole.but(network={"parts": {"norm": None}}),
        "as it is": whole,
    }
    section = section_of(whole, results, arms=arms)
    rows = deviations([section])

    assert whole_network(section) == "as it is"
    assert (of(rows, "crops").here, of(rows, "crops").text) == ("anywhere", "32 x 32 places")
    assert "LRN" not in {row.what for row in rows}
    without = section_of(whole, results, arms={"no LRN": arms["no LRN"]})
    assert of(deviations([without]), "LRN").here == "-"


def test_the_rate_is_the_one_that_the_whole_network_chose(results) -> None:
    """ReLU took 0.001 and tanh 0.003, by their choices; the paper prints 0.01."""
    section = section_of(alexnet_cifar(), results)
    rates = {"tanh": Choice(rate=0.003, trials=(), none_reached=False, edge=False),
             "relu": Choice(rate=0.001, trials=(), none_reached=False, edge=False)}  # fmt: skip
    tuned = section.model_copy(update={"plan": section.plan.model_copy(update={"choices": rates})})

    assert of(deviations([tuned]), "rate").here.startswith("0.001, ")
    assert of(deviations([tuned]), "rate").text.startswith("0.01, ")


@pytest.mark.parametrize(
    ("config", "asked_of", "published"),
    [
        (alexnet_cifar(), None, "published validation images"),
        (cifar_80sec(), None, "not said"),
        (alexnet_cifar(), "imagenet", "published validation images"),
        (cifar_80sec(), "cifar10", "not said"),
    ],
)
def test_held_out_images_are_of_every_study(config, asked_of, published, results) -> None:
    """Of questions of one's own, too; they have no photographs to be held against."""
    section = section_of(config, results)
    about = section.plan.about.model_copy(update={"paper_dataset": asked_of})
    rows = deviations(
        [section.model_copy(update={"plan": section.plan.model_copy(update={"about": about})})]
    )

    assert of(rows, "held-out images").text == published
    assert ("photographs" in {row.what for row in rows}) is (asked_of is not None)


def test_the_question_of_precision_is_no_deviation_where_one_arm_has_the_papers(results) -> None:
    """Of two arms that are alike, the whole network is the one that computes as the paper's."""
    whole = alexnet_cifar()
    arms = {"fast": whole, "slow": whole}
    section = section_of(
        whole, results, arms=arms, precision="bfloat16", precisions={"slow": "float32"}
    )

    assert whole_network(section) == "slow"
    assert "precision" not in {row.what for row in deviations([section])}


def test_images_that_no_catalogue_knows_go_by_their_name(results) -> None:
    """As of a study of somebody else's."""
    section = section_of(alexnet_cifar(), results)
    about = section.plan.about.model_copy(update={"paper_dataset": "their_own"})
    rows = deviations(
        [section.model_copy(update={"plan": section.plan.model_copy(update={"about": about})})]
    )

    assert of(rows, "photographs").text == "their_own"


def test_a_difference_of_two_studies_is_one_row(results) -> None:
    """With both their names; smoke studies have none."""
    one = section_of(alexnet_cifar(), results)
    again = one.model_copy(update={"plan": in_setting(one.plan, "own question")})
    smoke = one.model_copy(update={"comparison": one.comparison.model_copy(update={"smoke": True})})

    rows = deviations([one, again, smoke])

    assert of(rows, "view").where == ("relu_vs_tanh@fashion_mini", "relu_vs_tanh@fashion_mini")


def test_what_a_study_measured_stands_beside_the_deviation(results, tmp_path) -> None:
    """If it is complete and its two arms differ in just that."""
    here = section_of(alexnet_cifar(), results, precision="bfloat16")
    precisions = {"precision": "bfloat16", "precisions": {"relu": "float32"}, "study": "bfloat16"}
    varied = section_of(alexnet_cifar(), tmp_path / "a", **precisions)
    alike = section_of(alexnet_cifar(), tmp_path / "b", precision="bfloat16", study="bfloat16")

    assert of(deviations([here, varied]), "precision").worth == (
        "bfloat16@fashion_mini: ReLU against tanh 2.00 times [2.00, 2.00]; the paper: 6"
    )
    partial = varied.comparison.effects[0].model_copy(update={"pairs": 2})
    begun = varied.comparison.model_copy(update={"effects": (partial,)})
    partly = varied.model_copy(update={"comparison": begun})
    assert of(deviations([here, partly]), "precision").worth == ""
    assert of(deviations([here, alike]), "precision").worth == ""
    assert of(deviations([here]), "precision").worth == ""


def test_provenance_counts_runs_by_where_they_come_from(results) -> None:
    """Six runs: five of one commit, one with changes of its own; one kind of machine."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    other = PROVENANCE.but(commit="def", clean=False)
    store.add(record_of(plan.run("tanh", 2), [0.6]).model_copy(update={"provenance": other}))

    found = provenance(store, sections(store))

    assert found.runs == 6
    assert found.commits == ("abc: 5 runs", "def, with changes of its own: 1 run")
    assert found.made_by == (f"6 runs with torch 2.9.9 on abacus, {FINGERPRINT.capability}",)
    assert found.images == (f"fashion_mini, images {'d' * 12}, split {'e' * 12}: 6 runs",)
    assert found.commands == ("invoke ablate",)


def test_runs_of_another_edition_or_other_images_are_named_and_kept_apart(results) -> None:
    """They belong to no plan here, and no number changes."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    before = sections(store)[0].comparison
    run = plan.run("tanh", 0)
    for stray in (
        run.model_copy(update={"edition": 77}),
        run.model_copy(update={"dataset": REF.model_copy(update={"digest": "a" * 64})}),
    ):
        store.add(record_of(stray, [0.9]))

    assert orphaned_runs(store, store.plans()) == [
        "1 run of edition 1 on made_up (aaaaaa), of no plan here, kept apart",
        "1 run of edition 77 on fashion_mini (dddddd), of no plan here, kept apart",
    ]
    assert sections(store)[0].comparison == before


def errors_on(name: str, results_folder) -> tuple[Section, Store]:
    """Return a study of errors whose images are called so: 30 % test error with, 20 without."""
    plan = of_errors(HELPS)
    seen = {"with": [measures_of(0.1, 0.2, 0.3 + s / 500) for s in range(6)],
            "without": [measures_of(0.1, 0.2, 0.2)] * 6}  # fmt: skip
    store = with_measures(plan, results_folder, seen)
    store.write_plan(plan)
    section = sections(store)[0]
    dataset = section.comparison.model_copy(update={"dataset": name})
    return section.model_copy(update={"comparison": dataset}), store


def test_our_row_stands_in_a_paper_table_on_its_images_alone(results) -> None:
    """Means over six seeds 30.0 to 31.0 %; ten views a point less; top-5 a fifth.

    The row is the network with its norm, though the contrast is against the one without.
    """
    section, store = errors_on("imagenet", results)
    found = results_of(section, store)

    ours = [row for row in table_2(found).rows if row[0] == "ours"]
    # The standard deviation of 0, 2 ... 10 thousandths: sqrt(70 / 5) = 3.742; of a fifth, 0.748.
    assert ours == [("ours", f"{section.plan.definition.study}: with",
                     "29.5 \u00b1 0.37 %", "5.9 \u00b1 0.07 %", "-")]  # fmt: skip
    assert [row for row in table_1(found).rows if row[0] == "ours"] == []
    assert len(elsewhere_table(found)) == 0
    assert elsewhere(found) == []


def results_of(section: Section, store: Store):
    """Return what the tables of errors are made of."""
    return results([section])


def test_elsewhere_errors_stand_apart_with_their_chance_level(results) -> None:
    """Ten classes: a guess errs in 90 %, five in 50 %; the form is that of Table 2."""
    section, store = errors_on("made_up", results)
    found = results_of(section, store)

    (table,) = elsewhere(found)
    assert table.title == "made_up: 10 classes; chance level 90 % top-1, 50 % top-5"
    assert table.frame.to_dict("records") == [
        {
            "model": "1 CNN",
            "network": f"{section.plan.definition.study}: with",
            "top-1": "30.5 \u00b1 0.37 %",
            "top-5": "6.1 \u00b1 0.07 %",
            "top-1, ten views": "29.5 \u00b1 0.37 %",
            "top-5, ten views": "5.9 \u00b1 0.07 %",
            "over": "6 seeds",
        }
    ]
    flat = elsewhere_table(found)
    assert flat["chance, top-1"].tolist() == ["90 %"]
    assert flat["chance, top-5"].tolist() == ["50 %"]
    assert flat["images"].tolist() == ["made_up"]
    assert flat[table.frame.columns].equals(table.frame)
    assert all(row[0] != "ours" for row in (*table_1(found).rows, *table_2(found).rows))


def test_a_single_run_has_no_spread_and_few_classes_no_chance_of_five() -> None:
    """Three classes are all guessed by five tries."""
    row = Result(
        dataset="made_up", network="mine: as it is", classes=3, networks=1, over="1 seed",
        top1=Error(mean=0.3, deviation=None), top5=None, top1_ten=None, top5_ten=None,
    )  # fmt: skip

    (table,) = elsewhere([row])

    assert table.title == "made_up: 3 classes; chance level 66.67 % top-1"
    assert table.frame.iloc[0].tolist() == ["1 CNN", "mine: as it is", "30.0 %", "-", "-", "-",
                                            "1 seed"]  # fmt: skip


def test_averaged_networks_stand_below_the_network_that_they_are_of() -> None:
    """In the evidence one, two and five: by ten views, over the groups that the plan has kept."""
    store = Store(EVIDENCE)
    (plan,) = [one for one in store.plans() if one.name == "ensembles@cifar10_jpeg"]
    rows = [one for one in results_with(store) if one.dataset == "cifar10_jpeg"]
    runs = [store.find(plan.run("as it is", seed)) for seed in plan.definition.seeds]
    errors = [one.measures.test_ten.top1_error for one in runs]
    (of_one,) = [row for row in rows if row.networks == 1 and row.network.startswith("one_removed")]

    at = rows.index(of_one)
    assert [row.model for row in rows[at : at + 3]] == ["1 CNN", "2 CNNs", "5 CNNs"]
    assert {row.network for row in rows[at : at + 3]} == {of_one.network}
    assert of_one.top1_ten.mean == pytest.approx(statistics.mean(errors))
    assert of_one.top1_ten.deviation == pytest.approx(statistics.stdev(errors))
    for row in rows[at + 1 : at + 3]:
        (kept,) = [
            errors
            for key, errors in plan.ensembles["as it is"].items()
            if key == f"{row.networks} of 5"
        ]
        assert row.over == "2 groups of 5 seeds"
        assert row.top1_ten.mean == pytest.approx(statistics.mean(kept))
        assert row.top1_ten.deviation == pytest.approx(statistics.stdev(kept))
        assert (row.top1, row.top5, row.top5_ten) == (None, None, None)


def results_with(store: Store) -> list[Result]:
    """Return the errors of all studies in a folder."""
    return results(sections(store))


def test_the_papers_rows_are_as_printed() -> None:
    """Tables 1 and 2, and the logs of the runs behind them."""
    assert table_1([]).rows == (
        ("paper", "Sparse coding [2]", "47.1 %", "28.2 %"),
        ("paper", "SIFT + FVs [24]", "45.7 %", "25.7 %"),
        ("paper", "CNN", "37.5 %", "17.0 %"),
        ("2012 log, #145-2010", "CNN", "37.4727 %", "16.9987 %"),
    )
    assert table_2([]).rows[1] == ("paper", "1 CNN", "40.7 %", "18.2 %", "-")
    assert table_2([]).rows[4] == ("paper", "7 CNNs*", "36.7 %", "15.4 %", "15.3 %")
    assert table_2([]).rows[6] == (
        "2012 log, #146-2012-2011", "1 CNN*", "38.9900 %", "16.6220 %", "-",
    )  # fmt: skip


def test_runs_that_end_at_a_threshold_have_no_final_error(results) -> None:
    """A study of times shows in no table of errors."""
    plan, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])

    assert plan.definition.arms["tanh"].training.until is not None
    assert results_of(sections(store)[0], store) == []


def test_arms_say_what_differs_from_the_reference(results) -> None:
    """ReLU for tanh, and nothing else."""
    _, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    (section,) = sections(store)

    assert section.differs == {"tanh": {}, "relu": {"activation": "ReLU"}}
    assert [run.value for run in section.runs["relu"]] == pytest.approx([1.0, 1.0, 1.0])
    assert section.missing == 0


def test_how_sure_is_a_row_a_contrast(results) -> None:
    """Three equal pairs: p 2/8, no correlation to speak of."""
    _, store = filled(results, 3, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    table = certainty_table(sections(store)[0].comparison)

    assert table["exact sign-flip p"].tolist() == ["0.25"]
    assert table["margin"].tolist() == [
        "a factor of 1.25: a speed-up below a factor of 1.25 would not change what one trains"
    ]


def test_rates_are_drawn_with_a_ring_around_the_chosen(results) -> None:
    """Two rates, the smaller chosen; the larger never got there, so its points are hollow."""
    plan, _ = filled(results, 1, tanh=[0.6, 0.3, 0.1], relu=[0.4, 0.0])
    trials = (
        Trial(rate=0.001, epochs=9, outcomes=(2.0, 4.0), reached=True, runs=("a", "b")),
        Trial(rate=0.01, epochs=9, outcomes=(9.0, 9.0), reached=False, runs=("c", "d")),
    )
    choice = Choice(rate=0.001, trials=trials, none_reached=False, edge=True)

    figure = draw_tuning(plan.model_copy(update={"choices": {"relu": choice}}))

    assert figure is not None
    lines = figure.axes[0].lines
    (ring,) = (line for line in lines if line.get_markersize() == 12)
    assert (list(ring.get_xdata()), list(ring.get_ydata())) == ([0.001], [3.0])
    hollow = [line for line in lines if line.get_markersize() == 4
              and line.get_markerfacecolor() == "white"]  # fmt: skip
    assert [list(line.get_ydata()) for line in hollow] == [[9.0, 9.0]]
    assert draw_tuning(plan.model_copy(update={"choices": {}})) is None
