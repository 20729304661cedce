"""The page to measure on, as its user has it: in a browser."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

pytestmark = pytest.mark.slow


def total(page: Any) -> float:
    """The magnitude that the page shows."""
    box = page.locator(".numbers div", has_text="total magnitude")
    box.wait_for()
    return float(re.match(r"[\d.]+", box.inner_text())[0])


def wait_for_total(page: Any, expected: float) -> None:
    """Until the page shows a magnitude."""
    page.locator(".numbers div", has_text="total magnitude").get_by_text(f"{expected:.2f}").first.wait_for()


def canvas(page: Any) -> dict[str, float]:
    return page.locator(".bk-Canvas").first.bounding_box()


def measured(image: Path, **options: Any) -> Any:
    """What `predict` measures."""
    from p2p_keras import Predictor

    return Predictor.load(threads=1).predict(image, **options)


def on_screen(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the file is on the page."""
    place = page.evaluate(
        """([x, y]) => {
            const view = Bokeh.documents[0].all_models;
            for (const model of view) {
                if (model.name === "sky-image") {
                    return [(x - model.x_range.start) / (model.x_range.end - model.x_range.start),
                            (y - model.y_range.start) / (model.y_range.end - model.y_range.start),
                            model.inner_width, model.inner_height];
                }
            }
        }""",
        [x, y],
    )
    box = canvas(page)
    right, top = box["width"] - place[2], box["height"] - place[3]
    return box["x"] + right / 2 + place[0] * place[2], box["y"] + top + (1 - place[1]) * place[3] - 1


def click_on(page: Any, x: float, y: float) -> None:
    """Click a pixel of the file."""
    page.mouse.click(*on_screen(page, x, y))


def shown(page: Any, name: str, what: str) -> Any:
    """What an expression says of the model of a name."""
    return page.evaluate(
        f"""(name) => {{ for (const model of Bokeh.documents[0].all_models) {{
            if (model.name === name) {{ return {what}; }} }} }}""",
        name,
    )


def tab_to(page: Any, part: str) -> None:
    """Press Tab until the keyboard is in the part of the page of a class, as who has no mouse does."""
    page.locator(f".{part}").first.wait_for()  # a busy machine shows the page later than it is pressed
    for _ in range(160):
        page.keyboard.press("Tab")
        if page.evaluate(
            """(part) => {
                let at = document.activeElement;
                while (at && at.shadowRoot && at.shadowRoot.activeElement) { at = at.shadowRoot.activeElement; }
                for (; at; at = at.parentNode || at.host) {
                    if (at.classList && at.classList.contains(part)) { return true; }
                }
                return false;
            }""",
            part,
        ):
            return
    pytest.fail(f"the keyboard doesn't come to {part}")


@pytest.fixture
def field_page(server, open_page):
    """A page with ``field.fits``."""
    page = open_page(server.measure("field.fits", x=64, y=63))
    total(page)
    return page


def test_click_measures_another_galaxy(server, open_page, images):
    """A click would show the numbers of another place than `predict` gives for it, or a link lead elsewhere."""
    page = open_page(server.measure("field.fits"))
    page.locator(".numbers").wait_for()
    click_on(page, *server.galaxies["two"])
    page.get_by_text("--x 1").wait_for()
    x, y = (float(re.search(rf"--{key} (\S+)", page.locator("code.line").inner_text())[1]) for key in "xy")
    assert (x, y) == pytest.approx(server.galaxies["two"], abs=2.5)
    expected = measured(images / "field.fits", x=x, y=y).meta["mag_total"]
    wait_for_total(page, expected)
    page.wait_for_function(f"location.search.endsWith('x={x:g}&y={y:g}')")
    wait_for_total(open_page(page.evaluate("location.href")), expected)


def test_command_line_of_the_page_gives_its_numbers(field_page, images, tmp_path, monkeypatch):
    """The page would show a command whose numbers differ from its own, or a download that nobody can read."""
    from astropy.table import QTable

    from p2p_keras.cli import main

    with field_page.expect_download() as waiting:
        field_page.locator(".download-ecsv a").click()
    saved = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(saved)
    page = QTable.read(saved)
    monkeypatch.chdir(images)
    words = shlex.split(field_page.locator("code.line").inner_text())
    words[words.index("--output") + 1] = str(tmp_path / "out")
    assert words[0] == "p2p-keras"
    done = CliRunner().invoke(main, words[1:], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    program = QTable.read(tmp_path / "out" / "field.ecsv")
    assert page.colnames == program.colnames
    for name in page.colnames:
        np.testing.assert_allclose(page[name], program[name], rtol=1e-6)
    assert page.meta["mag_total"] == pytest.approx(program.meta["mag_total"], abs=1e-6)
    assert page.meta.keys() == program.meta.keys()


def test_drawn_mask_is_measured_without(field_page, images, tmp_path):
    """What a user draws round would go on counting, or the saved mask would not be the one that was used."""
    before = total(field_page)
    field_page.locator("[title^='Mask:']").click()
    middle = on_screen(field_page, 64, 63)  # on the galaxy's core, so that the page says so
    field_page.mouse.move(*middle)
    field_page.mouse.down()
    for angle in np.linspace(0, 6, 16):
        field_page.mouse.move(middle[0] + 15 * np.sin(angle), middle[1] + 15 * np.cos(angle))
    field_page.mouse.up()
    field_page.get_by_text("--mask mask.fits").wait_for()
    field_page.get_by_text("masked centre").first.wait_for()
    with field_page.expect_download() as waiting:
        field_page.locator(".download-given-mask a").click()
    mask = tmp_path / waiting.value.suggested_filename
    waiting.value.save_as(mask)
    expected = measured(images / "field.fits", x=64, y=63, mask=mask).meta["mag_total"]
    wait_for_total(field_page, expected)
    field_page.get_by_role("button", name="clear regions").click()
    field_page.get_by_text("masked centre").first.wait_for(state="detached")
    wait_for_total(field_page, before)


def test_pointer_lights_the_ellipse_of_a_radius(field_page):
    """Image and profile would not be linked: nothing tells which ellipse a radius is."""
    box = canvas(field_page)
    field_page.mouse.move(box["x"] + box["width"] * 0.55, box["y"] + box["height"] * 0.5)
    field_page.get_by_text(re.compile(r"\d+:\d\d:\d\d\.\d\d [+−]")).wait_for()  # sky coordinates
    field_page.get_by_text(re.compile(r"μ = \d\d\.\d\d")).wait_for()
    lit = """() => { for (const m of Bokeh.documents[0].all_models) {
        if (m.name === "lit-ellipse") { return m.data.xs.length; } } }"""
    assert field_page.evaluate(lit) == 1


def test_dropped_file_is_measured_and_seen_by_nobody_else(server, open_page, images, tmp_path):
    """A dropped file would not be measured as `predict` does, or show on the page of someone else."""
    mine, other = open_page(server.measure()), open_page(server.measure())
    kept = tmp_path / "my galaxy.fits"
    kept.write_bytes((images / "field.fits").read_bytes())
    mine.locator(".filepond--root").wait_for()
    mine.locator("input[type=file]").set_input_files(kept)
    wait_for_total(mine, measured(kept).meta["mag_total"])
    assert mine.evaluate("location.search") == ""
    assert other.locator(".numbers div").count() == 0
    other.locator(".path input").fill("my galaxy.fits")
    other.keyboard.press("Enter")
    other.locator(".error[role=alert]").wait_for()
    assert "no such file" in other.locator(".error[role=alert]").inner_text()


def test_missing_zero_point_is_asked_for_and_typed_in_by_keyboard_alone(server, open_page, images):
    """A user whose header lacks the zero point would see nothing, or another sentence than `predict` says.

    Or need a mouse: here Tab, letters and Enter open the file, mend the header and choose the galaxy.
    """
    from p2p_keras.core.errors import MissingCalibrationError

    page = open_page(server.measure())
    tab_to(page, "path")
    page.keyboard.type("adu.fits")
    page.keyboard.press("Enter")
    with pytest.raises(MissingCalibrationError) as error:
        measured(images / "adu.fits")
    alert = page.locator(".error[role=alert]")
    alert.wait_for()
    assert alert.inner_text().partition(": ")[2] == str(error.value).partition(": ")[2]
    tab_to(page, "option-zero_point")
    page.keyboard.type("25.3")
    page.keyboard.press("Enter")
    wait_for_total(page, measured(images / "adu.fits", zero_point=25.3).meta["mag_total"])
    assert alert.count() == 0
    for option, value in (("x", "64"), ("y", "63")):
        tab_to(page, f"option-{option}")
        page.keyboard.type(value)
        page.keyboard.press("Enter")
    page.get_by_text("--zero-point 25.3 --x 64 --y 63").wait_for()


def test_files_dropped_together_are_measured_as_bands(server, open_page, bands):
    """The files of two bands would be measured one by one, or the page would not show their colours."""
    page = open_page(server.measure())
    page.locator(".filepond--root").wait_for()
    page.locator("input[type=file]").set_input_files([bands / "r.fits", bands / "g.fits"])
    page.locator(".error[role=alert]").get_by_text(
        "no profile in the reference band"
    ).wait_for()  # between the galaxies
    click_on(page, *server.galaxies["two"])
    page.get_by_text(re.compile(r"g-r = ")).first.wait_for()
    page.locator("code.line", has_text="predict g=g.fits r=r.fits --forced --x").wait_for()  # follows a little later
    assert page.locator(".reference select").input_value() == "r"
    red = total(page)
    page.locator(".band-shown select").select_option("g")
    for _ in range(300):
        if total(page) != red:
            break
        page.wait_for_timeout(100)
    assert total(page) - red == pytest.approx(-2.5 * np.log10(0.6), abs=0.1)
    assert shown(page, "profile-colour", "model.visible")


def test_attention_follows_the_pointer(field_page):
    """A tick at attention would show nothing, or the pixels of another radius than the one under the pointer."""
    field_page.locator(".check-attention input").check()
    field_page.wait_for_function(
        """() => { for (const model of Bokeh.documents[0].all_models) {
            if (model.name === "attention-every") { return model.data.x.length > 0; } } }"""
    )
    widths = []
    for x in (64 + 4, 64 + 14):
        field_page.mouse.move(*on_screen(field_page, x, 63))
        field_page.wait_for_timeout(200)
        places = shown(field_page, "attention-shown", "Array.from(model.data.x)")
        assert len(places) > 3
        widths.append(max(places) - min(places))
    assert widths[1] > 1.5 * widths[0]


def test_broken_file_is_one_sentence(server, open_page):
    """A file that is cut short would leave an empty page, or a traceback."""
    page = open_page(server.measure("broken.fits"))
    page.locator(".error[role=alert]").wait_for()
    assert "broken.fits: the file is truncated" in page.locator(".error[role=alert]").inner_text()
    page.locator(".path input").fill("field.fits")  # and the page goes on
    page.keyboard.press("Enter")
    total(page)


def test_path_outside_the_folders_is_refused(server, open_page):
    """A visitor could read any image of the machine, or learn which files there are."""
    page = open_page(server.measure("../../../../etc/passwd"))
    page.locator(".error[role=alert]").wait_for()
    assert "no such file in the folders" in page.locator(".error[role=alert]").inner_text()


def test_narrow_window_shows_all(server, open_page):
    """On a telephone the page would be cut off at its right edge."""
    page = open_page(server.measure("field.fits"), width=420)
    total(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 420
    for box in (page.locator(".bk-Canvas").nth(i).bounding_box() for i in (0, 1)):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 420
