"""The benchmarks run, the answers agree and what is written can be read; no time is judged."""

import json
import platform
import re
import subprocess
import sys
from importlib.util import find_spec
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import hmm, memory, report
from benchmarks.harness import (
    Budget,
    Case,
    Result,
    Scale,
    Void,
    Work,
    agreement,
    compare,
    difference,
    interleave,
    measure,
    per_iteration,
    up_to,
)
from benchmarks.names import HALF, LOG, SOFTMAX, TORCH_SOFTMAX
from benchmarks.worker import CASES, NEEDS, outcomes
from tests.conftest import ROOT

TINY = Scale(steps=400, states=3, sequences=3, points=1000, budget=Budget(0.0, 1, 1))


def marked(part):
    """A part of the benchmarks, skipped where its peer is missing."""
    missing = part in NEEDS and find_spec(NEEDS[part]) is None
    reason = "PyTorch is missing, `make bench` installs it"
    return pytest.param(part, marks=pytest.mark.skipif(missing, reason=reason))


@pytest.fixture(scope="module", params=map(marked, CASES))
def results(request):
    """Results of one part at tiny sizes, the times made up; a void case fails here."""

    def seconds(work):
        if work.before:
            work.before()
        return 1.0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Work, "seconds", seconds)
        found = list(outcomes(request.param, TINY, threads=1))
    assert [outcome for outcome in found if isinstance(outcome, Void)] == []
    return found


def result(**changes):
    sizes = {"N": 4, "T": 10_000, "emission": "normal"}
    fields = {
        "section": "Posterior",
        "name": "N = 4",
        "peer": LOG,
        "threads": 1,
        "unit": "ms",
        "ours": 1.0,
        "theirs": 4.0,
        "ratio": 0.25,
        "quartiles": (0.2, 0.3),
        "rounds": 5,
        "target": 0.35,
        "sizes": sizes,
    }
    return Result(**{**fields, **changes})


def a_case(ours, theirs, tolerance=1e-8):
    return Case("S", "c", Work(lambda: ours), {"p": Work(lambda: theirs)}, tolerance=tolerance)


def rows(markdown):
    """The cells of each table of a document."""
    tables = re.findall(r"(?:^\|.*\|\n?)+", markdown, flags=re.MULTILINE)
    return [[line.split(" | ") for line in table.strip().splitlines()] for table in tables]


def test_all_contenders_of_all_cases_agree(results):
    assert len(results) > 5
    assert all(0 <= r.difference <= 1e-6 for r in results)


def test_all_cells_of_a_table_have_a_header(results):
    tables = rows(report.markdown(results, []))
    assert sum(len(table) - 2 for table in tables) >= len(results)
    for header, *lines in tables:
        assert all(len(line) == len(header) for line in lines)


def test_what_is_written_can_be_read(results, tmp_path):
    report.write(results, [], tmp_path)
    record = json.loads((tmp_path / "results.json").read_text())
    assert len(record["results"]) == len(results)
    assert record["results"][0]["ratio"] == results[0].ratio
    assert {"numpy", "scipy", "hmmlearn", "scikit-learn"} <= record["machine"].keys()
    assert (tmp_path / "results.md").read_text().startswith("# Benchmarks")
    if any(r.section == "Posterior" for r in results):
        assert ElementTree.parse(tmp_path / "growth.svg").getroot().tag.endswith("svg")


def test_the_description_of_the_machine_names_neither_host_nor_folder():
    text = " ".join(report.machine().values())
    assert platform.node() not in text
    assert "/" not in text


@pytest.mark.parametrize(
    "theirs",
    [
        {"x": np.array([1.0, 2.1])},
        {"x": np.array([1.0, np.nan])},
        {"x": np.ones(3)},
        {"y": np.array([1.0, 2.0])},
    ],
)
def test_a_case_of_two_different_answers_is_void(theirs):
    with pytest.raises(Void):
        agreement(a_case({"x": np.array([1.0, 2.0])}, theirs))


def test_a_case_in_which_a_contender_gives_up_is_void():
    def give_up():
        raise ValueError("singular")

    case = Case("S", "c", Work(lambda: {"x": 1.0}), {"p": Work(give_up)})
    with pytest.raises(Void, match="p gives up: singular"):
        agreement(case)


def test_a_void_case_is_reported_and_the_others_go_on(monkeypatch):
    good, bad = a_case({"x": 1.0}, {"x": 1.0}), a_case({"x": 1.0}, {"x": 2.0})
    monkeypatch.setattr(hmm, "cases", lambda scale: iter([bad, good]))
    void, fine = outcomes("hmm", TINY, threads=1)
    assert isinstance(void, Void)
    assert isinstance(fine, Result)
    assert "differ by" in report.markdown([fine], [str(void)])


@pytest.mark.parametrize("part", NEEDS)
def test_a_part_whose_peer_is_missing_is_void_and_says_how_to_get_it(part, monkeypatch):
    monkeypatch.setattr("benchmarks.worker.find_spec", lambda name: None)
    (void,) = outcomes(part, TINY, threads=1)
    assert "torch is not installed; `make bench` installs it" in str(void)


@pytest.mark.parametrize("part", [marked("attention")])
def test_attention_is_measured_at_each_length(part):
    found = list(outcomes(part, TINY, threads=1))
    assert all(isinstance(r, Result) for r in found)
    assert {r.sizes["T"] for r in found} == {64, 128, 256, 400}
    assert {r.peer for r in found} == {SOFTMAX, TORCH_SOFTMAX, HALF}
    table = report.markdown(found, [])
    assert "### Attention, causal" in table
    assert "Attention, full: memory" in table


def test_the_crossing_is_where_the_ratio_is_one():
    def at(T, ratio):
        return result(sizes={"T": T}, ratio=ratio)

    assert report.crossing([at(100, 4.0), at(400, 0.25)]) == pytest.approx(200)
    assert report.crossing([at(400, 0.25), at(100, 4.0), at(50, 8.0)]) == pytest.approx(200)
    assert report.crossing([at(100, 0.5), at(400, 0.25)]) is None
    assert report.crossing([at(100, 3.0), at(400, 2.0)]) is None
    lines = [
        result(section="Attention, full", peer=SOFTMAX, sizes={"T": T}, ratio=ratio)
        for T, ratio in ((100, 4.0), (400, 0.25))
    ]
    assert "- full, softmax: T = 200" in report.markdown(lines, [])


def test_differences_are_relative_to_the_answer_and_at_least_to_one():
    ours = {"large": 1e6 + 1.0, "small": 1e-3, "sequences": [np.zeros(2), np.ones(1)]}
    theirs = {"large": 1e6, "small": 0.0, "sequences": np.array([0.0, 0.0, 1.5])}
    expected = {"large": 1e-6, "small": 1e-3, "sequences": 0.5 / 1.5}
    assert difference(ours, theirs) == pytest.approx(expected)


def test_the_ratio_is_the_median_of_the_rounds():
    # The third round is ten times slower for both: it changes the medians, not the ratio.
    r = compare(
        np.array([1.0, 2.0, 10.0]),
        np.array([2.0, 4.0, 20.0]),
        section="S",
        name="c",
        peer="p",
        threads=1,
    )
    assert r.ratio == 0.5
    assert (r.ours, r.theirs) == (2000.0, 4000.0)


def test_rounds_whose_difference_of_times_is_negative_are_left_out():
    about = {"section": "S", "name": "c", "peer": "p", "threads": 1}
    assert compare(np.array([1.0, -1.0, 3.0]), np.full(3, 2.0), **about).rounds == 2
    with pytest.raises(Void, match="idle machine"):
        compare(np.array([1.0, -1.0]), np.full(2, 2.0), **about)


def test_contenders_take_turns_and_the_order_changes():
    calls = []
    works = {name: Work(lambda name=name: calls.append(name) or {}) for name in "ab"}
    times = interleave(works, Budget(0.0, at_least=3, at_most=9))
    assert "".join(calls) == "abbaab"
    assert {len(t) for t in times.values()} == {3}


def test_the_time_of_an_iteration_is_a_difference_of_two_runs(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("benchmarks.harness.time.perf_counter", lambda: clock[0])

    def fit(n_iter):
        clock[0] += 7.0 + 3.0 * n_iter  # 7 seconds of something else
        return {}

    assert per_iteration(fit, 1, 5).seconds() == 3.0


def test_a_target_is_met_up_to_equality_and_for_one_thread_only():
    assert result(ratio=0.35).met is True
    assert result(ratio=0.36).met is False
    assert result(target=None).met is None
    one = Work(lambda: {"x": 1.0})
    case = Case("S", "c", one, {"p": one}, targets={"p": 2.0})
    assert [measure(case, TINY.budget, n)[0].target for n in (1, 2)] == [2.0, None]


def test_sizes_are_cut_down_and_not_repeated():
    assert up_to(1000, 100, 1000, 10_000) == [100, 1000]


def test_growth_is_an_exponent():
    times = {10_000: (1.0, 4.0), 100_000: (100.0, 40.0), 1_000_000: (1000.0, 400.0)}
    results = [
        result(sizes={"N": 4, "T": T, "emission": "normal"}, ours=ours, theirs=theirs)
        for T, (ours, theirs) in times.items()
    ]
    text = report.markdown(results[::-1], [])
    assert "| T = 10,000 to 1,000,000 | 2.00, 1.00 | 1.00, 1.00 |" in text
    assert "3 of 3 targets met" in text


def test_the_command_prints_tables_and_writes_where_it_is_told(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "--quick", "--only", "startup"]
    run = subprocess.run([*command, "--output", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == (tmp_path / "results.md").read_text().strip()
    assert json.loads((tmp_path / "results.json").read_text())["void"] == []


def test_memory_is_measured_on_the_same_work():
    ours, theirs = (
        memory.smooth_something(memory.WORK[what], T=50, N=3) for what in ("latent", LOG)
    )
    assert ours["log evidence"] == pytest.approx(theirs["log evidence"])
    assert np.abs(ours["gamma"] - theirs["gamma"]).max() < 1e-12


def test_peak_memory_holds_at_least_the_log_likelihood_and_gamma():
    T, N = 20_000, 4
    command = [sys.executable, "-m", "benchmarks.memory", "latent", "traced", str(T), str(N)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert 2 * 8 * T * N <= int(run.stdout) <= 20 * 8 * T * N
