"""``python -m p2p_keras.predict`` on files whose names and folders are of any alphabet, or of digits."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from p2p_keras.predict import main
from p2p_keras.profile.tables.files import read_profiles

NAMES = {"007", "1237648720693755918", "galaxia_é", "星雲"}


@pytest.mark.parametrize(("ending", "folder"), [("fits", False), ("ecsv", True), ("prof", True)])
def test_a_run_is_resumed(fake_models, write_galaxy, tmp_path, ending, folder):
    """Below /home/josé/ a run would end without a table, or --resume measure all again as NAME_2."""
    home = tmp_path / "josé"
    home.mkdir()
    paths = [write_galaxy(f"{name}.fits").rename(home / f"{name}.fits") for name in sorted(NAMES)]
    output = home / ("profils" if folder else f"profils.{ending}")
    arguments = ["-o", output, *(["--format", ending] if folder else [])]
    arguments += ["--summary", home / "résumé.fits", "--model-image", home / "modèles"]

    def predict(*words):
        return CliRunner().invoke(main, [*map(str, (*words, *arguments)), "--model", str(fake_models.saved_model)])

    first = predict(*paths[:2])
    assert first.exit_code == 0, first.output
    again = predict(*paths, "--resume")
    assert again.exit_code == 0, again.output
    assert "2 were there already" in again.stderr
    assert {profile.meta["name"] for profile in read_profiles(output)} == NAMES
    assert len(list((home / "modèles").iterdir())) == 4
