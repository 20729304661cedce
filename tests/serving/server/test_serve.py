"""The program's own face: help and wrong usage, before anything heavy is loaded."""

from __future__ import annotations

import subprocess
import sys
import time

from click.testing import CliRunner

from p2p_keras.serve import main


def test_help_says_what_it_is_for():
    """Somebody would put the stand-in into production without knowing."""
    text = " ".join(CliRunner().invoke(main, ["--help"]).output.split())
    assert "stand-in" in text
    assert "For production use TensorFlow Serving" in text


def test_help_is_quick_and_loads_no_tensorflow():
    """Each look at the options would take seconds."""
    code = "import sys, p2p_keras.serve; sys.exit('tensorflow' in sys.modules or 'grpc' in sys.modules)"
    start = time.process_time()
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
    assert time.process_time() - start < 1


def test_wrong_usage_ends_with_2(tmp_path):
    """A misspelt folder would start a server of nothing."""
    missing = CliRunner().invoke(main, ["--model-base-path", str(tmp_path / "missing")])
    assert missing.exit_code == 2
    assert "missing" in missing.output
    key = tmp_path / "key.pem"
    key.write_text("")
    alone = CliRunner().invoke(main, ["--model-base-path", str(tmp_path), "--tls-key", str(key)])
    assert alone.exit_code == 2
    assert "--tls-certificate" in alone.output
