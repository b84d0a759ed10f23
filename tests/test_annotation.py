"""Turns are drawn blind; labels are read strictly; agreement is worked out by hand."""

import csv
import json
import math
from collections import Counter
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from support.factories import NO_ROLES, call, cue, definitions_of
from warmline import landing
from warmline.annotation import (
    Key,
    Label,
    Wanted,
    _spread,
    draw,
    find_answered,
    read_key,
    read_labels,
    read_sheet,
)
from warmline.annotation.agreement import (
    CONSENSUS,
    agreement,
    consensus,
    expected_widths,
    gwet_ac1,
    krippendorff_alpha,
    share_alike,
    votes,
    weighted_kappa,
)
from warmline.cli import app
from warmline.errors import DataError
from warmline.statistics import precision_at
from warmline.warehouse.publishing import publish

CALLS = 6
ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six calls: a cue in turn 1, none in turns 3 and 5; one call without a ledger, one made up."""
    folder = tmp_path_factory.mktemp("annotation")
    says = [
        ("B", 0.0, 2.0, "how can I help"),
        ("A", 3.0, 6.0, "I am worried about my card"),
        ("B", 6.5, 9.0, "=what is the number"),
        ("A", 10.0, 12.0, "it is four two seven"),
        ("B", 13.0, 15.0, "thank you it is done"),
        ("A", 15.5, 16.0, "okay bye"),
    ]
    kinds = ("fear_anxiety", "anger_frustration")
    cues = [
        [cue(1, 3.0, 6.0, "I am worried", kinds[i % 2], answer="ignored")] for i in range(CALLS)
    ]
    calls = [call(f"c{i}", says=says, cues=cues[i], queue=f"q{i % 3}") for i in range(CALLS)]
    calls += [
        call("nobody", says=says, roles=NO_ROLES),
        call("made-up", says=says, cues=cues[0], is_simulated=True),
    ]
    for analysis in calls:
        landing.write(analysis, folder / "landing")
    publish(folder / "landing", folder / "w.duckdb", definitions_of(calls))
    return folder / "w.duckdb"


def test_flagged_and_unflagged_turns_are_drawn_with_their_chances(warehouse: Path):
    items = draw(warehouse, Wanted(flagged=4, unflagged=3))
    assert Counter(bool(i.kinds) for i in items) == {True: 4, False: 3}
    assert Counter(i.kinds[0] for i in items if i.kinds) == {
        "fear_anxiety": 2,
        "anger_frustration": 2,
    }
    # "okay bye" is too short, so that one turn of each of six calls could be drawn.
    assert {i.chance for i in items if not i.kinds} == {3 / 6}
    assert {i.chance for i in items if i.kinds} == {2 / 3}
    assert all(i.text.startswith("it is four") for i in items if not i.kinds)
    assert {i.call_id for i in items} <= {f"c{i}" for i in range(CALLS)}
    assert items == draw(warehouse, Wanted(flagged=4, unflagged=3))
    assert items != draw(warehouse, Wanted(flagged=4, unflagged=3, seed=2))


def test_an_item_has_the_talk_around_it_and_the_agents_two_turns(warehouse: Path):
    item = next(i for i in draw(warehouse, Wanted()) if (i.call_id, i.turn_index) == ("c0", 1))
    assert item.before == "agent: how can I help"
    assert item.after.splitlines() == [
        "agent: =what is the number",
        "customer: it is four two seven",
        "agent: thank you it is done",
    ]
    assert (item.kinds, item.answer, item.level) == (("fear_anxiety",), "ignored", 0)


def test_strata_share_the_draw(warehouse: Path):
    items = draw(warehouse, Wanted(flagged=0, unflagged=3, by="queue"))
    assert sorted(i.stratum for i in items) == ["none / q0", "none / q1", "none / q2"]


SIZES = st.dictionaries(st.text("ab", max_size=3), st.integers(1, 20), min_size=1)


@given(st.integers(1, 50), SIZES)
def test_every_stratum_is_drawn_from_by_its_size_or_the_draw_is_refused(
    count: int, available: dict[str, int]
):
    if count < len(available):
        with pytest.raises(DataError, match=f"{len(available)} strata to spread {count} turns"):
            _spread(count, available)
        return
    sizes = _spread(count, available)
    total = sum(available.values())
    assert sum(sizes.values()) == min(count, total)
    for name, size in available.items():
        assert 1 <= sizes[name] <= size
        # No stratum that has more than its share has more than one too many.
        assert sizes[name] <= max(1, math.ceil(count * size / total))


def test_the_largest_strata_are_drawn_most():
    """Sixty agents, of whom a few have most turns: before, the large ones got nothing."""
    available = {f"small{i}": 2 for i in range(20)} | {f"large{i}": 100 for i in range(10)}
    sizes = _spread(60, available)
    assert all(sizes[name] >= 1 for name in available)
    assert min(sizes[f"large{i}"] for i in range(10)) >= 4


def test_recall_covers_the_truth_where_feelings_are_rare():
    """3 % of 10,000 turns show a feeling, 60 flagged and 60 unflagged turns are labelled."""
    random = np.random.default_rng(5)
    flagged_total, unflagged_total, p1, p0 = 250, 9750, 0.8, 0.0103
    truth = flagged_total * p1 / (flagged_total * p1 + unflagged_total * p0)
    covers, certain = [], []
    for _ in range(120):
        labels, key = {}, {}
        groups = (("f", flagged_total, p1, ("fear_anxiety",)), ("u", unflagged_total, p0, ()))
        for name, size, share, kinds in groups:
            for i in range(60):
                item = f"{name}{i}#1"
                felt = random.random() < share
                labels[item] = Label("fear_anxiety" if felt else "none")
                key[item] = Key(f"{name}{i}", kinds, None, None, name, 60 / size)
        recall = agreement({"ann": labels}, key).against[0].recall
        assert recall and recall.low is not None and recall.high is not None
        covers.append(recall.low <= truth <= recall.high)
        certain.append(recall.value > 0.995)
    assert np.mean(covers) >= 0.92
    assert np.mean(certain) == 0.0


def test_simulated_calls_are_only_drawn_when_asked_for(warehouse: Path, tmp_path: Path):
    assert {i.call_id for i in draw(warehouse, Wanted(simulated=True))} == {"made-up"}
    only = call("made-up", is_simulated=True)
    landing.write(only, tmp_path / "landing")
    publish(tmp_path / "landing", tmp_path / "w.duckdb", definitions_of([only]))
    with pytest.raises(DataError, match="--simulated takes them"):
        draw(tmp_path / "w.duckdb", Wanted())


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_sheet_is_blind_and_comes_back(warehouse: Path, tmp_path: Path, suffix: str):
    sheet = tmp_path / f"sheet.{suffix}"
    ran = CliRunner().invoke(app, ["annotate", str(sheet), "--warehouse", str(warehouse)])
    assert ran.exit_code == 0, ran.output
    text = sheet.read_text(encoding="utf-8-sig")
    assert "fear_anxiety" not in text and "ignored" not in text
    # Neither the answer is shown nor whose call it is.
    assert "thank you it is done" not in text and "c0" not in text and ".wav" not in text
    key = read_key(tmp_path / "sheet.key.json")
    assert "worried" not in (tmp_path / "sheet.key.json").read_text()
    assert read_sheet(sheet, key) == {}
    filled = tmp_path / f"ann.{suffix}"
    if suffix == "json":
        rows = json.loads(text)
        for row in rows:
            row["feeling"] = "none"
        filled.write_text(json.dumps(rows))
    else:
        rows = list(csv.DictReader(text.splitlines(keepends=True)))
        with filled.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(row | {"feeling": " None "} for row in rows)
    assert read_sheet(filled, key) == dict.fromkeys(key, Label("none"))
    again = CliRunner().invoke(app, ["annotate", str(sheet), "--warehouse", str(warehouse)])
    assert again.exit_code == 1 and "may hold labels" in again.output


def test_the_machine_is_shown_on_request_and_formulas_are_defused(warehouse: Path, tmp_path: Path):
    sheet = tmp_path / "open.csv"
    CliRunner().invoke(
        app, ["annotate", str(sheet), "--show-machine", "--warehouse", str(warehouse)]
    )
    rows = list(csv.DictReader(sheet.read_text(encoding="utf-8-sig").splitlines(keepends=True)))
    assert {row["machine_feeling"] for row in rows} == {"none", "fear_anxiety", "anger_frustration"}
    assert not any(cell.startswith("=") for row in rows for cell in row.values())


KEY = {f"c{i}#1": Key(f"c{i}", (), None, None, "all", 1.0) for i in range(3)}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("item_id,answer\nc0#1,\n", "line 1: there is no column feeling"),
        ("item_id,feeling\nc0#1,angry\n", "line 2, column feeling: 'angry' is not one of none,"),
        ('item_id,text,feeling\nc0#1,"a\nb",none\nc9#1,x,none\n', "line 4, column item_id: 'c9#1'"),
        ("item_id,feeling\nc0#1,none\nc0#1,none\n", "line 3, column item_id: c0#1 is in line 2"),
        ("item_id,feeling,answer\nc0#1,none,ignored\n", "line 2, column answer: 'ignored' is said"),
        ("item_id,feeling,level\nc0#1,fear_anxiety,3\n", "line 2, column level: '3' is not one of"),
    ],
)
def test_a_wrong_sheet_is_named_by_line_and_column(tmp_path: Path, text: str, said: str):
    sheet = tmp_path / "ann.csv"
    sheet.write_text(text)
    with pytest.raises(DataError) as error:
        read_sheet(sheet, KEY)
    assert said in str(error.value) and "\n" not in str(error.value)


def keyed(*items: tuple[str, str, float]) -> dict[str, Key]:
    """Items as (name, feeling of the ledger or none, chance), each in a call of its own."""
    return {
        name: Key(name, () if kind == "none" else (kind,), "ignored", 0, "all", chance)
        for name, kind, chance in items
    }


def test_precision_and_recall_weigh_turns_by_their_chance():
    """Two of two flagged turns are cues; one of two unflagged ones is, and stands for ten."""
    fear = "fear_anxiety"
    key = keyed(("a", fear, 1.0), ("b", fear, 1.0), ("c", "none", 0.1), ("d", "none", 0.1))
    labels = {
        "a": Label(fear, "affective"),
        "b": Label("anger_frustration", "ignored"),
        "c": Label(fear),
        "d": Label("none"),
    }
    found = agreement({"ann": labels}, key)
    (against,) = found.against
    assert found.between == ()
    assert against.precision is not None and against.precision.value == 1.0
    assert against.precision.low < 0.5
    assert against.recall is not None and against.recall.low < 2 / 12 < against.recall.high
    assert against.kind is not None and against.kind.value == 0.5
    assert against.answered is not None and against.answered.value == 0.5


def test_annotators_are_compared_and_the_majority_counts():
    key = keyed(*((str(i), "fear_anxiety" if i < 5 else "none", 1.0) for i in range(10)))
    ann = {str(i): Label("fear_anxiety" if i < 5 else "none") for i in range(10)}
    bob = ann | {"4": Label("none"), "5": Label("sadness_disappointment")}
    cid = ann | {"4": Label("anger_frustration"), "5": Label("none")}
    found = agreement({"ann": ann, "bob": bob, "cid": cid}, key)
    first = found.between[0]
    assert (first.left, first.right, first.items) == ("ann", "bob", 10)
    assert first.cue is not None and first.cue.value == pytest.approx(0.6)
    assert first.answered is None
    assert found.undecided == ("4",)  # two see a feeling, and not the same one
    shared = found.against[-1]
    assert shared.annotator == CONSENSUS and shared.items == 10
    assert shared.precision is not None and shared.precision.value == 1.0


def test_one_opinion_is_no_majority():
    labels, undecided = consensus([{"a": Label("none")}, {"b": Label("none")}])
    assert (labels, undecided) == ({}, ())


def test_what_is_known_of_no_call_is_nothing_to_spread_turns_over(warehouse: Path):
    with pytest.raises(DataError, match="of no call a team is known"):
        draw(warehouse, Wanted(flagged=3, unflagged=3, by="team"))


def test_the_command_prints_agreement(warehouse: Path, tmp_path: Path):
    sheet = tmp_path / "sheet.json"
    run = CliRunner().invoke
    run(app, ["annotate", str(sheet), "--warehouse", str(warehouse)])
    rows = json.loads(sheet.read_text())
    for name, feeling in (("ann", "fear_anxiety"), ("bob", "none")):
        for row in rows:
            row["feeling"] = feeling if "worried" in row["text"] else "none"
        (tmp_path / f"{name}.json").write_text(json.dumps(rows))
    key = str(tmp_path / "sheet.key.json")
    sheets = [str(tmp_path / "ann.json"), str(tmp_path / "bob.json")]
    ran = run(app, ["agreement", *sheets, "--key", key])
    assert ran.exit_code == 0 and "ann, bob" in ran.output and "most annotators" in ran.output
    text = " ".join(ran.output.split())
    for meaning in ("kappa: how far two people agree", "recall: of the turns", "same kind: the"):
        assert meaning in text
    told = json.loads(run(app, ["agreement", sheets[0], "--key", key, "--json"]).stdout)
    assert told["against"][0]["precision"]["value"] == 1.0
    assert told["against"][0]["kind"]["value"] == 0.5
    empty = run(app, ["agreement", str(sheet), "--key", key])
    assert empty.exit_code == 1 and "nothing is labelled yet" in empty.output


# Two passes


def fill(path: Path, to: Path, values: dict[str, str], where: str = "") -> None:
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines(keepends=True)))
    with to.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | (values if where in row["text"] else {}) for row in rows)


def test_answers_are_labelled_after_the_feelings_and_read_together(warehouse: Path, tmp_path: Path):
    run = CliRunner().invoke
    sheet, ann = tmp_path / "sheet.csv", tmp_path / "ann.csv"
    run(app, ["annotate", str(sheet), "--warehouse", str(warehouse)])
    fill(sheet, ann, {"feeling": "none"})
    fill(ann, ann, {"feeling": "fear_anxiety"}, "worried")
    key, second = str(tmp_path / "sheet.key.json"), tmp_path / "ann.answers.csv"
    asked = ["annotate", str(second), "--answers-of", str(ann), "--key", key]
    ran = run(app, [*asked, "--warehouse", str(warehouse)])
    assert ran.exit_code == 0 and "6 turns with a feeling" in ran.output, ran.output
    assert "thank you it is done" in second.read_text(encoding="utf-8-sig")
    known = read_key(Path(key))
    assert read_labels(ann, known)[next(iter(known))].answer is None
    filled = tmp_path / "filled.csv"
    fill(second, filled, {"answer": "ignored", "level": "0"})
    filled.replace(second)
    told = read_labels(ann, known)
    assert Counter(label.answer for label in told.values()) == {"ignored": 6, None: 6}
    fill(second, filled, {"feeling": "sadness_disappointment"})
    filled.replace(second)
    with pytest.raises(DataError, match="what was said before reading the answer counts"):
        read_labels(ann, known)
    lone = run(app, ["annotate", str(tmp_path / "x.csv"), "--answers-of", str(ann)])
    assert lone.exit_code == 2 and "go together" in lone.output


def test_a_turn_that_was_erased_since_is_named(warehouse: Path, tmp_path: Path):
    gone = {"x": Key("gone", ("fear_anxiety",), "ignored", 0, "all", 1.0, 1)}
    with pytest.raises(DataError, match="call gone, turn 1"):
        find_answered(warehouse, {"x": Label("fear_anxiety")}, gone)
    assert find_answered(warehouse, {"x": Label("none")}, gone) == []


# Coefficients

# Krippendorff 2011, four observers of twelve units; 0.743 there.
OBSERVED = [
    *((1, 1, None, 1), (2, 2, 3, 2), (3, 3, 3, 3), (3, 3, 3, 3), (2, 2, 2, 2), (1, 2, 3, 4)),
    *((4, 4, 4, 4), (1, 1, 2, 1), (2, 2, 2, 2), (None, 5, 5, 5), (None, None, 1, 1)),
]


def test_coefficients_are_those_of_the_literature():
    ones = np.ones(len(OBSERVED))
    assert krippendorff_alpha(votes(OBSERVED), ones) == pytest.approx(0.743, abs=0.001)
    # Gwet 2014, table 4.10 of the same units: what observers share by chance is a little less.
    assert gwet_ac1(votes(OBSERVED), ones) == pytest.approx(0.775, abs=0.01)
    # Two of twenty seen alike as rare, one each way: kappa falls to 0.44, AC1 does not.
    rare = [(1, 1)] + [(1, 0), (0, 1)] + [(0, 0)] * 17
    assert weighted_kappa(votes(rare), np.ones(20)) == pytest.approx(0.444, abs=0.001)
    assert gwet_ac1(votes(rare), np.ones(20)) == pytest.approx(0.878, abs=0.001)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=3, max_size=12))
def test_an_item_that_stands_for_three_counts_as_three(pairs: list[tuple[int, int]]):
    heavy = np.array([3.0] + [1.0] * (len(pairs) - 1))
    copied = [pairs[0], pairs[0], *pairs]
    for coefficient in (weighted_kappa, gwet_ac1, share_alike):
        assert coefficient(votes(pairs), heavy) == pytest.approx(
            coefficient(votes(copied), np.ones(len(copied))), nan_ok=True
        )


def test_agreement_is_of_the_calls_and_not_of_a_sample_rich_in_feelings():
    """5 % of turns show a feeling and half of the sample does: the plain kappa was 0.2 too high."""
    random = np.random.default_rng(3)
    felt = np.concatenate([np.ones(600, bool), np.zeros(600, bool)])
    chances = np.where(felt, 600 / 5_000, 600 / 95_000)

    def person() -> dict[str, Label]:
        seen = np.where(felt, random.random(1200) < 0.9, random.random(1200) < 0.03)
        return {str(i): Label("fear_anxiety" if s else "none") for i, s in enumerate(seen)}

    ann, bob = person(), person()
    key = {
        str(i): Key(str(i), ("x",) if f else (), None, None, str(f), float(chances[i]))
        for i, f in enumerate(felt)
    }
    found = agreement({"ann": ann, "bob": bob}, key).between[0].cue
    p = np.array([0.05 * 0.9 + 0.95 * 0.03])
    same = 0.05 * (0.81 + 0.01) + 0.95 * (0.97**2 + 0.03**2)
    chance = p**2 + (1 - p) ** 2
    truth = float(((same - chance) / (1 - chance))[0])
    assert found and found.low and found.high
    assert found.low < truth < found.high
    assert abs(found.value - truth) < 0.06


def test_turns_on_which_people_differ_stay_and_what_is_decided_counts():
    fear = "fear_anxiety"
    key = keyed(*((str(i), fear, 1.0) for i in range(4)))
    ann = {str(i): Label(fear, "ignored") for i in range(4)}
    bob = ann | {"0": Label("none"), "1": Label(fear, "affective")}
    found = agreement({"ann": ann, "bob": bob}, key)
    assert found.undecided == ("0", "1")
    shared = found.against[-1]
    # Before, the turn on which they differ was left out, and precision was 1.
    assert shared.precision and shared.precision.value == pytest.approx(3.5 / 4)
    decided = {"0": Label("none"), "1": Label(fear, "affective")}
    after = agreement({"ann": ann, "bob": bob}, key, decided=decided)
    assert after.undecided == ()
    assert after.against[-1].precision and after.against[-1].precision.value == 0.75


def test_disputes_are_written_decided_and_read_back(warehouse: Path, tmp_path: Path):
    run = CliRunner().invoke
    sheet, ann, bob = (tmp_path / f"{n}.csv" for n in ("sheet", "ann", "bob"))
    run(app, ["annotate", str(sheet), "--warehouse", str(warehouse)])
    fill(sheet, ann, {"feeling": "none"})
    fill(ann, bob, {"feeling": "fear_anxiety"}, "worried")
    command = ["agreement", str(ann), str(bob), "--key", str(tmp_path / "sheet.key.json")]
    open_ = tmp_path / "open.csv"
    ran = run(app, [*command, "--disputes", str(open_)])
    assert ran.exit_code == 0 and "On 6 turns the annotators differ" in ran.output, ran.output
    rows = list(csv.DictReader(open_.read_text(encoding="utf-8-sig").splitlines(keepends=True)))
    assert {(r["text"], r["ann_feeling"], r["bob_feeling"]) for r in rows} == {
        ("I am worried about my card", "none", "fear_anxiety")
    }
    fill(open_, tmp_path / "decided.csv", {"feeling": "fear_anxiety"})
    ran = run(app, [*command, "--decided", str(tmp_path / "decided.csv"), "--json"])
    told = json.loads(ran.stdout)
    assert told["undecided"] == []
    assert told["against"][-1]["precision"]["value"] == 1.0
    made = told["provenance"]
    digest = sha256(ann.read_bytes()).hexdigest()
    assert made["files"]["ann.csv"] == digest and set(made["files"]) >= {"bob.csv", "decided.csv"}
    assert f"--decided {tmp_path / 'decided.csv'}" in made["command"]
    said = run(app, command).output
    assert f"Digest of ann.csv: {digest[:16]}." in " ".join(said.split())
    assert "Command: warmline agreement" in said
    assert set(told["against"][-1]["precision_at"]) == {"0.02", "0.05", "0.1", "0.2"}


# How many turns to label


def test_precision_falls_where_feelings_are_rarer():
    # The ledger's own: 26 right rows of 35, 46 feelings in 195 turns, are 0.33 where 5 % show one.
    sensitivity, specificity = 26 / 46, 1 - 9 / 149
    assert precision_at(sensitivity, specificity, 46 / 195) == pytest.approx(26 / 35)
    assert precision_at(sensitivity, specificity, 0.05) == pytest.approx(0.33, abs=0.005)


def test_the_table_of_the_guide_is_computed():
    guide = (ROOT / "docs" / "annotation.md").read_text(encoding="utf-8")
    for flagged, unflagged in ((60, 60), (120, 240), (240, 480), (480, 1500)):
        widths = [
            expected_widths(flagged, unflagged, recall=0.54, specificity=0.95, prevalence=p)
            for p in (0.05, 0.20)
        ]
        told = " | ".join(f"±{w.precision:.2f} | ±{w.recall:.2f}" for w in widths)
        assert f"| {flagged} | {unflagged} | {told} |" in guide, (flagged, unflagged, told)


def test_expected_widths_are_those_that_are_had():
    """60 labelled turns of either kind, drawn from many: the mean width is as was promised."""
    random = np.random.default_rng(2)
    promised = expected_widths(60, 60, recall=0.44, specificity=0.97, prevalence=0.2)
    precision = precision_at(0.44, 0.97, 0.2)
    share = 0.2 * 0.44 / precision
    had = []
    for _ in range(60):
        labels, key = {}, {}
        for name, p, size, kinds in (
            ("f", precision, share, ("x",)),
            ("u", 0.2 * 0.56 / (1 - share), 1 - share, ()),
        ):
            for i in range(60):
                labels[f"{name}{i}"] = Label("fear_anxiety" if random.random() < p else "none")
                key[f"{name}{i}"] = Key(f"{name}{i}", kinds, None, None, name, 60 / size)
        against = agreement({"ann": labels}, key).against[0]
        assert against.recall and against.precision
        had.append(
            (
                against.precision.high - against.precision.low,
                against.recall.high - against.recall.low,
            )
        )
    assert np.mean(had, axis=0) / 2 == pytest.approx([promised.precision, promised.recall], rel=0.1)


def test_a_stratum_that_is_flagged_less_has_its_feelings_after_errors() -> None:
    """A ledger that finds half and invents 3 %: 10 and 30 % of turns show a feeling."""
    random = np.random.default_rng(4)
    key, labels, truth = {}, {}, {}
    for team, prevalence in (("north", 0.1), ("south", 0.3)):
        felt = random.random(20_000) < prevalence
        flag = random.random(20_000) < np.where(felt, 0.5, 0.03)
        truth[team] = felt.mean()
        for flagged, count, kind in ((True, 200, "fear_anxiety"), (False, 400, "none")):
            places = np.flatnonzero(flag == flagged)
            for place in random.choice(places, count, replace=False).tolist():
                item = f"{team}-{place}"
                kinds = ("fear_anxiety",) if flagged else ()
                stratum, chance = f"{kind} / {team}", count / len(places)
                key[item] = Key(item, kinds, None, None, stratum, chance)
                labels[item] = Label("fear_anxiety" if felt[place] else "none")
    found = {r.stratum: r for r in agreement({"ann": labels}, key).rates}
    assert set(found) == {"north", "south"}
    for team, rate in found.items():
        assert rate.turns == 20_000 and rate.rate and rate.rate.low is not None
        assert rate.rate.high is not None
        assert rate.rate.low < truth[team] < rate.rate.high
        assert rate.flagged < truth[team] + 0.02
    assert agreement({"ann": {i: la for i, la in labels.items() if key[i].kinds}}, key).rates == ()
