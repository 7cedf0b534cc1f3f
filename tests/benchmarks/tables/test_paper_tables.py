"""The paper's tables: every published digit, ours beside them, marks and reasons."""

import io
from itertools import pairwise

import pytest
from rich.console import Console

from benchmarks.scoring.results import read_scores
from benchmarks.tables.measured import METRIC_KEYS
from benchmarks.tables.paper_tables import LAYOUTS, build_table
from benchmarks.tables.published import read_published
from benchmarks.tables.render import to_terminal
from benchmarks.tables.table import BEST, SECOND
from pipeline.errors import UserError
from pipeline.files import write_json
from tests.benchmarks.made_up import NO_WEIGHTS, made_up_scores, without


def cells(table, *leads):
    """The cells of the one row with these leads, by heading."""
    found = [row for row in table.rows if row.leads == leads]
    assert len(found) == 1, [row.leads for row in table.rows]
    names = [f"{column.dataset} {column.metric}".strip() for column in table.columns]
    return dict(zip(names, found[0].cells, strict=True))


@pytest.mark.parametrize("name", LAYOUTS)
def test_without_scores_every_published_digit_stands_alone(name):
    table = build_table(name, [])
    by_rows = LAYOUTS[name].dataset_rows
    for entry in read_published(name):
        leads = (entry.dataset, entry.method) if by_rows else (entry.method,)
        column = entry.metric if by_rows else f"{entry.dataset} {entry.metric}"
        cell = cells(table, *leads)[column]
        assert cell.text == (entry.value or "-")
        assert bool(cell.note) == (not entry.value)
    assert table.measured == ()


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_column_is_a_metric_of_the_scorer(name):
    assert {column.metric for column in build_table(name, []).columns} <= METRIC_KEYS.keys()


def test_all_six_systems_and_the_truth_are_there_in_the_paper_s_order():
    systems = ["SDA", "MakeItTalk", "Wav2Lip", "PC-AVS", "EAMM", "Diffused Heads", "GT"]
    leads = [row.leads for row in build_table("v2", []).rows]
    assert leads == [(dataset, system) for dataset in ("LRW", "CREMA") for system in systems]


def test_ours_stands_in_the_paper_s_columns_with_its_protocol():
    scores = made_up_scores("crema-d")
    table = build_table("v1", [scores])
    ours = cells(table, "tiny (measured here)")
    ssim, psnr = (scores["metrics"][name] for name in ("ssim", "psnr"))
    assert ours["CREMA SSIM"].text == f"{ssim['mean']:.2f}"
    assert ours["CREMA PSNR"].value == psnr["mean"]
    assert ours["CREMA PSNR"].ci95 == tuple(f"{bound:.2f}" for bound in psnr["ci95"])
    assert ours["CREMA PSNR"].n == 12
    assert ours["CREMA PSNR"].protocol.startswith("psnr_n12")
    assert ours["LRW SSIM"].note == "not scored on LRW"
    row = table.measured[0]
    assert (row.mark, row.clips) == ("1", "12")
    low, high = ssim["ci95"]
    for part in (
        "tiny on CREMA, n = 12 clips: compared at 128x128.",
        f"SSIM {ssim['mean']:.3f} (95% CI {low:.3f} to {high:.3f}): ssim_n12",
    ):
        assert part in row.source


def test_a_measured_row_stands_below_the_published_one_of_its_name():
    scores = [made_up_scores(method=name) for name in ("wav2lip", "tiny")]
    leads = [row.leads for row in build_table("v2", scores).rows if row.leads[0] == "CREMA"]
    names = [name for _, name in leads]
    assert ("Wav2Lip", "wav2lip (measured here)") in pairwise(names)
    assert names[-4:] == ["Diffused Heads", "tiny (measured here)", "GT", "GT (measured here)"]


def test_the_real_clips_are_a_row_where_the_paper_has_one():
    scores = made_up_scores()
    truth = cells(build_table("v2", [scores]), "CREMA", "GT (measured here)")
    assert truth["OFM"].value == scores["metrics"]["ofm"]["real"]
    real = [clip["real_values"]["av_confidence"] for clip in scores["clips"]]
    assert truth["AV confidence"].value == pytest.approx(sum(real) / len(real))
    assert truth["FVD"].note == "the real clips are what is compared against"
    assert not any("GT" in row.leads[-1] for row in build_table("v1", [scores]).rows)


def test_one_system_on_two_data_sets_is_one_row_of_the_first_table():
    scores = [made_up_scores("CREMA"), made_up_scores("LRW"), made_up_scores("LRW", shift=1.0)]
    table = build_table("v1", scores)
    first, second = table.measured
    assert all(cell.value is not None for cell in first.cells)
    assert (first.clips, second.clips) == ("12 + 12", "12")
    assert second.cells[0].value == scores[2]["metrics"]["ssim"]["mean"]
    assert "tiny on CREMA" in first.source
    assert "tiny on LRW" in first.source


def test_a_data_set_that_no_paper_has_gets_columns_or_rows_of_its_own():
    scores = [made_up_scores("GRID"), made_up_scores("LRW", "other")]
    table = build_table("v1", scores)
    assert cells(table, "tiny (measured here)")["GRID SSIM"].value is not None
    assert cells(table, "SDA")["GRID SSIM"].note == "the paper does not use this data set"
    assert cells(table, "other (measured here)")["GRID SSIM"].note == "not scored on GRID"
    rows = build_table("v2", scores).rows
    assert [row.leads for row in rows[-2:]] == [
        ("GRID", "tiny (measured here)"),
        ("GRID", "GT (measured here)"),
    ]


def test_gaps_of_ours_give_the_scorer_s_reason_and_remedy():
    scores = without(made_up_scores(), "av_confidence")
    scores["clips"].append({"clip_id": "bad", "status": "failed", "reason": "no frame decodes"})
    scores["unmatched"] = {"real": ["b"], "fake": ["c", "d"]}
    table = build_table("v2", [scores])
    ours = cells(table, "CREMA", "tiny (measured here)")
    assert ours["AV confidence"].text == "-"
    assert ours["AV confidence"].note == NO_WEIGHTS
    assert ours["WER"].note == "not in these scores, or by another protocol; score again for it"
    letters = table.reasons
    assert (letters[NO_WEIGHTS], NO_WEIGHTS) in table.footnotes
    source = table.measured[0].source
    assert "1 clips failed, the first, bad: no frame decodes" in source
    assert "3 clips had no counterpart" in source


def test_the_published_marks_are_the_paper_s():
    table = build_table("v2", [made_up_scores()])
    column = [
        (row.leads[1], cell.rank)
        for row in table.rows
        for heading, cell in zip(table.columns, row.cells, strict=True)
        if row.leads[0] == "CREMA" and not row.mark and heading.metric == "OFM" and cell.rank
    ]
    # GT 68.76: SDA is .55 off and PC-AVS 1.60.
    assert column == [("SDA", BEST), ("PC-AVS", SECOND)]
    lrw = cells(table, "LRW", "Diffused Heads")
    assert (lrw["FVD"].rank, lrw["FID"].rank, lrw["OFM"].rank) == (BEST, SECOND, BEST)


def test_systems_measured_here_are_ranked_among_themselves_from_two_on():
    one = made_up_scores(method="one")
    alone = build_table("v1", [one])
    assert all(cell.rank == 0 for cell in alone.measured[0].cells)
    both = build_table("v1", [one, made_up_scores(method="two", shift=1.0)])
    assert cells(both, "two (measured here)")["CREMA SSIM"].rank == BEST
    assert cells(both, "one (measured here)")["CREMA SSIM"].rank == SECOND
    for name in ("EAMM", "SDA"):
        assert cells(both, name) == cells(alone, name)


def test_measured_here_the_closer_to_its_own_real_clips_the_better():
    near, far = (made_up_scores(method=name, shift=s) for name, s in (("near", 0.1), ("far", 2.0)))
    table = build_table("v2", [far, near])
    assert cells(table, "CREMA", "near (measured here)")["OFM"].rank == BEST
    assert cells(table, "CREMA", "far (measured here)")["OFM"].rank == SECOND


def test_terminal_shows_a_name_in_brackets_as_it_is_and_letters_for_gaps():
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(to_terminal(build_table("v1", [made_up_scores(method="[bold]x")])))
    text = console.export_text()
    assert "[bold]x (measured here) [1]" in text
    assert "30.92" in text
    assert "- [a]" in text


def test_wrong_files_are_one_sentence(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_scores(tmp_path / "absent.json")
    path = tmp_path / "scores.json"
    path.write_text("{")
    with pytest.raises(UserError, match="does not read as JSON"):
        read_scores(path)
    write_json(path, {"some": "thing"})
    with pytest.raises(UserError, match="not written by dh-bench score"):
        read_scores(path)
    write_json(path, made_up_scores(schema_version=99))
    with pytest.raises(UserError, match="schema version 99"):
        read_scores(path)
    write_json(path, made_up_scores())
    assert read_scores(path)["method"] == "tiny"


def test_scores_that_lack_a_part_are_told_by_its_name(tmp_path):
    path = tmp_path / "scores.json"
    whole = made_up_scores()
    for name in ("sources", "weights"):  # which came later
        write_json(path, {key: value for key, value in whole.items() if key != name})
        assert name not in read_scores(path)
    write_json(path, {key: whole[key] for key in ("schema_version", "clips", "metrics")})
    with pytest.raises(UserError, match=r"lacks method, dataset, .*; score the videos again"):
        read_scores(path)


def test_a_wrong_value_in_scores_is_named_by_file_and_field(tmp_path):
    path = tmp_path / "scores.json"
    scores = made_up_scores()
    scores["metrics"]["ssim"]["mean"] = "high"
    write_json(path, scores)
    with pytest.raises(UserError, match=r"scores\.json: metrics\.ssim\.mean is 'high'"):
        read_scores(path)


def test_real_clips_that_were_only_encoded_stand_below_the_truth_and_are_not_ranked():
    scores = [made_up_scores(method=name) for name in ("GT, encoded", "tiny")]
    table = build_table("v2", scores)
    crema = [row.leads[1] for row in table.rows if row.leads[0] == "CREMA"]
    assert crema[-4:] == [
        "tiny (measured here)",
        "GT",
        "GT (measured here)",
        "GT, encoded (measured here)",
    ]
    assert all(cell.rank == 0 for row in table.measured for cell in row.cells)


def test_numbers_of_unequally_many_clips_are_not_ranked_and_a_note_says_so():
    scores = [made_up_scores(method=name, shift=s) for name, s in (("one", 0.0), ("two", 1.0))]
    scores[1]["metrics"]["ofm"]["n"] = 5
    table = build_table("v2", scores)
    ours = cells(table, "CREMA", "one (measured here)")
    assert (ours["OFM"].rank, ours["AV confidence"].rank) == (0, SECOND)
    assert (
        "Not ranked: OFM on CREMA: of unequally many clips ([1] n = 12, [2] n = 5)." in table.notes
    )


def test_a_column_of_several_protocols_is_not_ranked_and_a_note_says_so():
    scores = [made_up_scores(method=name, shift=s) for name, s in (("one", 0.0), ("two", 1.0))]
    scores[1]["metrics"]["ofm"]["protocol"] = "ofm_n12: measured in another way"
    table = build_table("v2", scores)
    assert cells(table, "CREMA", "two (measured here)")["OFM"].rank == 0
    assert cells(table, "CREMA", "two (measured here)")["AV confidence"].rank == BEST
    assert "Not ranked: OFM on CREMA: measured by different protocols, see [1], [2]." in table.notes
    resized = "compared at 128x128; fake frames resized from 256x256; cv2.INTER_AREA down"
    scores[1] = made_up_scores(method="two", shift=1.0, protocol=resized)
    assert cells(build_table("v2", scores), "CREMA", "two (measured here)")["OFM"].rank == SECOND
    scores[1] = made_up_scores(method="two", protocol="compared at 64x64")
    (note,) = [text for text in build_table("v1", scores).notes if "Not ranked" in text]
    assert "SSIM on CREMA, PSNR on CREMA: measured by different protocols" in note


def test_the_row_of_real_clips_is_of_the_most_of_them_in_any_order_of_files():
    few, many = made_up_scores(method="few", clips=5), made_up_scores(method="many", clips=12)
    many["metrics"]["ofm"]["n_real"] = 11
    rows = []
    for scores in ([few, many], [many, few]):
        table = build_table("v2", scores)
        (row,) = [row for row in table.measured if row.leads == ("CREMA", "GT (measured here)")]
        rows.append([(cell.value, cell.n) for cell in row.cells])
        assert row.clips == "12"
        assert "OFM of n = 11." in row.source
    assert rows[0] == rows[1]
    truth = cells(table, "CREMA", "GT (measured here)")
    assert (truth["OFM"].value, truth["OFM"].n) == (many["metrics"]["ofm"]["real"], 11)
