"""The page that `predict --report` writes."""

from __future__ import annotations

import re

from click.testing import CliRunner

from p2p_keras.predict import main


def test_report_is_one_file_with_a_card_each(fake_models, write_galaxy, tmp_path):
    """A report that is mailed would lack galaxies, fetch something from the net, or run what a header says."""
    one = write_galaxy("one.fits")
    write_galaxy("two.fits", header={"FILTER": "<script>x"})
    report = tmp_path / "report.html"
    words = [
        str(one.parent),
        "--model",
        str(fake_models.onnx),
        "--output",
        str(tmp_path / "out.fits"),
        "--report",
        str(report),
    ]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    text = report.read_text(encoding="utf-8")
    assert text.count("<article ") == 2
    assert len(re.findall(r"<svg ", text)) == 4
    assert "half-light radius" in text
    assert "<script>x" not in text
    bare = re.sub(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+", "", text)
    assert not re.search(r"https?://|//[a-z]|@import|url\(", bare)


def test_report_wants_html(write_galaxy, fake_models, tmp_path):
    """A report under a table's name would overwrite the table."""
    words = [
        str(write_galaxy("one.fits")),
        "--model",
        str(fake_models.onnx),
        "-o",
        str(tmp_path / "o.fits"),
        "--report",
        "o.fits",
    ]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert "end in .html" in done.output
