"""One table of every metric: sorted, marked, a column for each protocol."""

import pytest

from benchmarks.tables.all_metrics import all_metrics
from benchmarks.tables.render import RENDERERS
from pipeline.errors import UserError
from tests.benchmarks.made_up import made_up_scores, without


def systems():
    """Three on CREMA, best last, and one on GRID."""
    return [
        made_up_scores(method="worst", shift=-1.0),
        made_up_scores("GRID", "elsewhere"),
        made_up_scores(method="middle"),
        made_up_scores(method="best", shift=1.0),
    ]


def names(table):
    return [(row.leads[0], row.leads[1].removesuffix(" (measured here)")) for row in table.rows]


def test_rows_are_sorted_by_data_set_and_a_column():
    table = all_metrics(systems(), "PSNR")
    on_crema = [("CREMA", name) for name in ("best", "middle", "worst", "GT")]
    assert names(table) == [*on_crema, ("GRID", "elsewhere"), ("GRID", "GT")]
    assert [row.mark for row in table.rows[:3]] == ["1", "2", "3"]
    headings = [column.metric for column in table.columns]
    assert headings[:4] == ["SSIM", "PSNR", "FID", "FVD"]
    assert [row.cells[1].rank for row in table.rows] == [1, 2, 0, 0, 0, 0]
    # One that lacks the number comes last, as do encoded real clips.
    table = all_metrics([without(systems()[3], "psnr"), *systems()[:1]], "PSNR")
    assert [name for _, name in names(table)] == ["worst", "best", "GT"]
    assert all(render(table) for render in RENDERERS.values())


def test_each_protocol_has_a_column_of_its_own():
    a, b = made_up_scores(method="a"), made_up_scores(method="b")
    a["metrics"]["fvd"]["protocol"] = "fvd_16f_n12: windows of 16"
    b["metrics"]["fvd"]["protocol"] = "fvd_32f_n12: windows of 32"
    b["metrics"]["ssim"]["protocol"] = "ssim_mouth_n12: of mouths"
    b["metrics"]["fid"]["protocol"] += " in another way"
    table = all_metrics([a, b])
    cells = {
        column.metric: tuple(cell.text != "-" for cell in cells)
        for column, *cells in zip(
            table.columns, *(row.cells for row in table.rows[:2]), strict=True
        )
    }
    assert cells["FVD16"] == cells["SSIM"] == (True, False)
    assert cells["FVD32"] == cells["SSIM (mouth)"] == (False, True)
    assert "FVD" not in cells
    assert "FID on CREMA: measured by different protocols, see [1], [2]." in table.notes[1]


def test_wrong_use_is_one_sentence():
    with pytest.raises(UserError, match="needs --scores"):
        all_metrics([])
    with pytest.raises(UserError, match="no column is called 'LSE-C'; there are SSIM"):
        all_metrics(systems(), "LSE-C")
