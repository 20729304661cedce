"""The page to judge a run by, in a browser, with a table of 100,000 rows."""

from __future__ import annotations

import csv
import re
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def judge_page(server, open_page):
    """The page of the table; verdicts of an earlier test are gone."""
    kept = server.table.with_name(f"{server.table.name}.verdicts.csv")
    kept.unlink(missing_ok=True)
    page = open_page(server.address)
    page.get_by_text("100,000 rows").wait_for()
    page.locator(".galaxy svg image").first.wait_for()
    page.wait_for_timeout(1000)  # until nothing moves any more
    return page


def first_names(page: Any) -> list[str]:
    return page.locator(".galaxy .name").all_inner_texts()


def test_large_table_is_sorted_filtered_and_looked_at(judge_page, server):
    """A survey's table could not be searched: rows would be wrong, or pictures be those of other rows."""
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(server.table).to_pandas()
    judge_page.locator(".filter input").fill("r50 > 29, flags has LOW_snr, quality = 0")
    judge_page.keyboard.press("Enter")
    chosen = rows[(rows.r50 > 29) & rows["flags"].str.contains("low_snr") & (rows.quality == 0)]
    judge_page.get_by_text(f"{len(chosen):,} of 100,000 rows").wait_for()
    judge_page.locator(".tabulator-col-title", has_text=re.compile("^mag_total$")).click()
    expected = list(chosen.sort_values("mag_total").name[:12])
    judge_page.locator(".galaxy .name", has_text=expected[0]).wait_for()
    for _ in range(100):  # one card follows the other
        if first_names(judge_page) == expected:
            break
        judge_page.wait_for_timeout(100)
    assert first_names(judge_page) == expected
    assert judge_page.locator(".galaxy").count() == 12
    judge_page.locator(".filter input").fill("r51 > 29")
    judge_page.keyboard.press("Enter")
    judge_page.locator(".error[role=alert]").wait_for()
    assert "there is no column r51" in judge_page.locator(".error[role=alert]").inner_text()


def test_selection_in_the_plot_shows_its_galaxies(judge_page, server):
    """What is drawn round in the plot would not be what the table and the cards show."""
    box = judge_page.locator(".bk-Canvas").first.bounding_box()
    judge_page.mouse.move(box["x"] + box["width"] * 0.80, box["y"] + box["height"] * 0.3)
    judge_page.mouse.down()
    judge_page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.5, steps=4)
    judge_page.mouse.up()
    chosen = judge_page.get_by_text(re.compile(r"^[\d,]+ of 100,000 rows$"))
    chosen.wait_for()
    count = int(chosen.inner_text().split()[0].replace(",", ""))
    assert 500 < count < 10_000  # all rows in the rectangle, not only those of the sample that is drawn
    judge_page.get_by_role("button", name="show all").click()
    judge_page.get_by_text(re.compile(r"^100,000 rows$")).wait_for()


def test_verdicts_by_keys_alone_are_kept(judge_page, server, open_page):
    """A night of judging would be lost, or land on the neighbouring galaxy."""
    names = first_names(judge_page)
    for key in ("g", "b", "ArrowRight", "g"):
        judge_page.keyboard.press(key)
    judge_page.get_by_text("3 judged, kept in survey.parquet.verdicts.csv").wait_for()
    judge_page.locator(".note-text input").fill('dust, "lane"')
    judge_page.keyboard.press("Enter")
    judge_page.get_by_text("4 judged").wait_for()
    with open(server.table.with_name("survey.parquet.verdicts.csv"), newline="") as file:
        kept = {row["name"]: (row["verdict"], row["note"]) for row in csv.DictReader(file)}
    note = 'dust, "lane"'
    assert kept == {names[0]: ("good", ""), names[1]: ("bad", ""), names[3]: ("good", ""), names[4]: ("", note)}
    again = open_page(server.address)
    again.get_by_text("4 judged").wait_for()
    with again.expect_download() as waiting:
        again.locator(".verdicts a").click()
    assert names[3] in waiting.value.path().read_text()


def test_card_leads_to_the_galaxy(judge_page, server, open_page):
    """The link of a card would open another galaxy than the card's."""
    link = judge_page.locator(".galaxy a").first.get_attribute("href")
    page = open_page(server.address + link)
    page.locator(".numbers div", has_text="total magnitude").wait_for()
    x = float(page.locator(".option-x input").input_value())
    assert np.min(np.abs(x - np.array([64.0, 170.0]))) < 0.1


def test_narrow_window_shows_table_plot_and_cards(judge_page):
    """On a telephone the page to judge by would be cut off at its right edge."""
    judge_page.set_viewport_size({"width": 420, "height": 900})
    judge_page.wait_for_function("document.documentElement.scrollWidth <= 420")
    for part in (".results", ".bk-Canvas", ".galaxy", ".verdicts"):
        box = judge_page.locator(part).first.bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 420
