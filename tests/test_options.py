"""The words of the command line: one for each thing, old ones that still work, options from files, quiet programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from p2p_keras import cli
from p2p_keras.core.json_lines import json_option
from p2p_keras.core.program import Program, quiet_option
from p2p_keras.core.progress import terminal_console
from p2p_keras.core.settings_file import settings_text

KINDS = {"integer": "whole number", "integer range": "whole number", "float": "number", "float range": "number"}
ALIASES = {"--run"}


def command_of(name: str) -> click.Command:
    command = cli.main.get_command(click.Context(cli.main), name)
    assert command is not None
    return command


def options_of(name: str) -> list[click.Option]:
    """Options of a program that its help shows."""
    return [p for p in command_of(name).params if isinstance(p, click.Option) and not p.hidden]


def kind_of(option: click.Option) -> str:
    """What a value is, for a person."""
    if option.is_flag:
        return "flag"
    if isinstance(option.type, click.Choice):
        return "word"
    return KINDS.get(option.type.name, "text")


def table(repository: Path) -> list[tuple[set[str], str, set[str], set[str]]]:
    """Rows of the table in CONTRIBUTING.md: option names, kind, programs, names not to use."""
    text = (repository / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Words of the command line")[2]
    rows = []
    for line in re.findall(r"^\| (?!Thing|-)(.*) \|$", text, re.MULTILINE):
        _, options, kind, programs, wrong = (cell.strip() for cell in (line + " ").split("|"))
        names = set(cli.PROGRAMS) if programs == "all" else set(programs.split(", "))
        rows.append((set(re.findall(r"`(.*?)`", options)), kind, names, set(re.findall(r"`(.*?)`", wrong))))
    assert len(rows) > 25
    return rows


def test_every_program_has_the_words_of_the_table(repository):
    """A user would have to learn each program's own words for the same thing."""
    for names, kind, programs, _ in table(repository):
        long = next(name for name in names if name.startswith("--"))
        having = {program for program in cli.PROGRAMS for option in options_of(program) if long in option.opts}
        assert having == programs, long
        for program in programs:
            option = next(option for option in options_of(program) if long in option.opts)
            assert set(option.opts) - ALIASES == names, f"{program} {long}"
            allowed = {"text"} if kind == "path" else {kind}
            path = isinstance(option.type, click.Path)
            assert kind == "path" if path else kind_of(option) in allowed, f"{program} {long}"


def test_what_two_programs_share_stands_in_the_table(repository):
    """A second word, or a second meaning of a word, would come in unseen."""
    known = set().union(*(names for names, *_ in table(repository)))
    where: dict[str, set[str]] = {}
    for program in cli.PROGRAMS:
        for option in options_of(program):
            for name in (*option.opts, *option.secondary_opts):
                where.setdefault(name, set()).add(program)
    assert {name for name, programs in where.items() if len(programs) > 1} - known == set()
    assert {name for name in where if re.fullmatch(r"-\w", name)} <= known


def test_other_words_are_not_used(repository):
    """A program would have a word of its own for what others have."""
    wrong = set().union(*(row[3] for row in table(repository)))
    used = {(program, name) for program in cli.PROGRAMS for option in options_of(program) for name in option.opts}
    assert {(program, name) for program, name in used if name in wrong} == set()


# ----- old names

OLD = [(program, old, new) for program in cli.PROGRAMS for old, new in command_of(program).old.items()]
EXAMPLES = {
    "--split": "train=0.5,test=0.5",
    "--galaxies-per-shard": "10",
    "--preview": "a.png",
    "--preview-count": "9",
    "--processes": "3",
    "--figures": "pdf",
    "--saved-models": "models",
    "--num-threads": "0",
    "--count": "7",
}
NEEDED = {"evaluate": ["--data", "x"], "export": ["."], "pack": ["-o", "out", "a.fits"], "inspect": ["x"]}


def parsed(program: str, *arguments: str, **settings) -> dict:
    """Parameters of a command line."""
    with command_of(program).make_context(program, [*NEEDED.get(program, []), *arguments], **settings) as context:
        return dict(context.params)


@pytest.mark.parametrize(("program", "old", "new"), OLD)
@pytest.mark.parametrize("glued", [False, True])
def test_old_names_go_on_working(program, old, new, glued, capsys):
    """A script of the last version would fail, or run with a default in place of what it asked for."""
    words = [f"{old}={EXAMPLES[old]}"] if glued else [old, EXAMPLES[old]]
    given = parsed(program, *words)
    assert f"{old} is now {new}" in capsys.readouterr().err
    if any(old in param.opts for param in command_of(program).params):  # of another meaning: it keeps its own value
        assert str(given[old[2:].replace("-", "_")]) == EXAMPLES[old]
    else:
        assert given == parsed(program, new, EXAMPLES[old])
    assert capsys.readouterr().err == ""
    context = click.Context(command_of(program), info_name=program)
    assert not re.search(rf"{old}\b(?!-)", command_of(program).get_help(context).partition("Options:")[2])


def test_old_and_new_options_of_shards_make_the_same(tmp_path):
    """Shards would be of another size than asked for, in several bands."""
    from p2p_keras.data.shards import read_manifest

    common = [
        "--survey",
        "sdss",
        "--count",
        "4",
        "--size",
        "48",
        "--bands",
        "g,r",
        "--workers",
        "1",
        "--splits",
        "test=1",
    ]
    for name, value in (("--galaxies-per-shard", "2"), ("--images-per-shard", "5")):
        command = [*common, name, value, "--output", str(tmp_path / name)]
        done = CliRunner().invoke(command_of("simulate"), command)
        assert done.exit_code == 0, done.output
        manifest = read_manifest(tmp_path / name)
        assert [entry.records for entry in manifest.shards.values()] == [4, 4]


# ----- options from a file


@pytest.mark.parametrize("program", cli.PROGRAMS)
def test_resolved_options_can_be_given_again(program, tmp_path):
    """The file beside a result would not make that result again."""
    given = {
        "predict": [
            "a b.fits",
            '"ü".fits',
            "-o",
            "out",
            "--zero-point",
            "22.5",
            "--column",
            "ra=RA",
            "--no-companions",
        ],
        "survey": ["cat.parquet", "-o", "s3://out", "--column", "ra=RA", "--object-store-memory", "2G", "--band", "g"],
        "evaluate": ["--data", "x", "--model", "a", "--model", "b", "--classical", "--plot-format", "png"],
        "export": [".", "--version", "4"],
        "simulate": ["--count", "7", "--splits", "train=0.5,test=0.5", "--gzip", "-o", "mocks"],
        "pack": ["a.fits", "-o", "out", "--measure", "--radius-step", "1e-5"],
        "inspect": ["x", "--no-checksums"],
        "serve": ["--port", "0", "--drain-seconds", "1.5", "--no-warm-up"],
        "view": ["a.fits", "b.fits", "--port", "8080", "--no-browser", "--model", "a", "--model", "b"],
        "fit": ["--epochs", "3", "--no-augment", "-o", "runs/x", "--set", "model.dim=96", "--image-sizes", "64,96"],
    }[program]
    with command_of(program).make_context(program, list(given)) as context:
        before, text = dict(context.params), settings_text(context)
    (tmp_path / "options.toml").write_text(text, encoding="utf-8")
    with command_of(program).make_context(program, ["--config", str(tmp_path / "options.toml")]) as context:
        after = dict(context.params)
    assert after == before


def test_command_line_wins_over_the_file(tmp_path):
    """What a user types would be ignored."""
    path = tmp_path / "o.toml"
    path.write_text(
        'count = 5\nsize = 64\nsplits = {train = 0.5, test = 0.5}\nbands = ["g", "r"]\nimages_per_shard = 9'
    )
    given = parsed("simulate", "--size", "96", "--config", str(path))
    assert (given["count"], given["size"], given["images_per_shard"]) == (5, 96, 9)
    assert (given["splits"], given["bands"]) == ("train=0.5,test=0.5", "g,r")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cuont = 5", ["o.toml", "unknown setting 'cuont'", "count"]),
        ("count = 'many'", ["--count", "many", "configuration file"]),
        ("count = ", ["o.toml", "not a valid configuration file"]),
        ("config = 'other.toml'", ["unknown setting 'config'"]),
    ],
)
def test_wrong_files_are_refused(text, words, tmp_path):
    """A misspelt name in a file would leave a default in its place, unseen."""
    (tmp_path / "o.toml").write_text(text)
    result = CliRunner().invoke(
        command_of("simulate"), ["--config", str(tmp_path / "o.toml"), "-o", str(tmp_path / "x")]
    )
    assert result.exit_code == 2
    assert all(word in result.output for word in words), result.output
    missing = CliRunner().invoke(command_of("simulate"), ["--config", str(tmp_path / "missing.toml")])
    assert missing.exit_code == 2
    assert "missing.toml: can't be read" in missing.output


def test_fit_takes_its_own_files(tmp_path, monkeypatch):
    """A run's settings from a file would lose their order (file, --set, command line) or the network's table."""
    from p2p_keras.network.training import session

    runs = []
    monkeypatch.setattr(session, "train_and_export", lambda config, **how: runs.append(config))
    path = tmp_path / "o.toml"
    path.write_text("epochs = 7\nbatch-size = 8\nlearning-rate = 0.5\nimage-sizes = [64, 96]\n[model]\ndim = 96\n")
    arguments = [
        "--config",
        str(path),
        "--set",
        "batch_size=9",
        "--set",
        "learning_rate=0.25",
        "--learning-rate",
        "0.125",
    ]
    result = CliRunner().invoke(command_of("fit"), [*arguments, "-o", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    assert (runs[0].epochs, runs[0].batch_size, runs[0].learning_rate) == (7, 9, 0.125)
    assert (runs[0].image_sizes, runs[0].model["dim"], runs[0].run) == ([64, 96], 96, str(tmp_path / "run"))
    (tmp_path / "config.json").write_text(runs[0].to_json())
    again = CliRunner().invoke(command_of("fit"), ["--config", str(tmp_path / "config.json")])
    assert again.exit_code == 0, again.output
    assert runs[1] == runs[0]
    named = CliRunner().invoke(command_of("fit"), ["--run", "elsewhere"])
    assert named.output == ""
    assert runs[2].run == "elsewhere"


def test_results_have_their_options_beside_them(tmp_path):
    """Nobody could tell next year how a set of mocks or an evaluation was made."""
    mocks, packed = tmp_path / "mocks", tmp_path / "again"
    command = ["--survey", "sdss", "--count", "2", "--size", "48", "--workers", "1", "--splits", "test=1", "--quiet"]
    assert CliRunner().invoke(command_of("simulate"), [*command, "-o", str(mocks)]).exit_code == 0
    again = CliRunner().invoke(
        command_of("simulate"), ["--config", str(mocks / "simulate.toml"), "-o", str(packed), "-q"]
    )
    assert (again.exit_code, again.output) == (0, "")
    shards = list(mocks.glob("*.tfrecord"))
    assert shards
    for shard in shards:
        assert shard.read_bytes() == (packed / shard.name).read_bytes()


# ----- what is said


@click.command(cls=Program)
@quiet_option
@json_option
def talking(quiet: bool) -> None:
    from p2p_keras.core.progress import Progress

    with Progress("working", 9, quiet=quiet) as progress:
        progress.write_line("by the bar")
        progress.advance(3, 1.5)
        progress.advance(4, 1.5, facts={"failed": 1})
        progress.advance(5, float("nan"), facts={"failed": 2})
    click.echo("the answer")
    click.secho("by click", fg="red", err=True)
    raise click.ClickException("what failed")


def test_log_file(tmp_path):
    """A night's notes and errors would be gone with the terminal; or the log would be full of bars and colours."""
    log = tmp_path / "logs" / "run.log"
    result = CliRunner().invoke(talking, ["--log-file", str(log)], color=True)
    assert result.exit_code == 1
    assert result.stdout == "the answer\n"
    assert [line for line in ("by the bar", "by click", "Error: what failed") if line not in result.stderr] == []
    assert log.read_text(encoding="utf-8").splitlines() == ["by the bar", "by click", "Error: what failed"]


@pytest.mark.parametrize("order", [1, -1])
def test_progress_for_other_programs(tmp_path, order):
    """A program that starts ours would have to read a bar meant for eyes; or the log file would be JSON."""
    log = tmp_path / "run.log"
    words = [["--json"], ["--log-file", str(log)]][::order]
    result = CliRunner().invoke(talking, [*words[0], *words[1]], color=True)
    assert (result.exit_code, result.stdout) == (1, "the answer\n")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    first = {
        "event": "progress",
        "doing": "working",
        "unit": "galaxies",
        "done": 3,
        "total": 9,
        "rate": 1.5,
        "seconds_left": 4.0,
    }
    last = first | {"done": 5, "rate": None, "seconds_left": None, "failed": 2}  # one a second, and the last
    assert events == [
        {"event": "message", "text": "by the bar"},
        first,
        last,
        {"event": "message", "text": "by click"},
        {"event": "error", "text": "what failed"},
    ]
    assert log.read_text(encoding="utf-8").splitlines() == ["by the bar", "by click", "Error: what failed"]
    quiet = CliRunner().invoke(talking, ["--json", "--quiet"])
    assert [json.loads(line)["event"] for line in quiet.stderr.splitlines()] == ["message", "message", "error"]
    wrong = CliRunner().invoke(command_of("simulate"), ["--json", "--count", "many"])
    assert (wrong.exit_code, json.loads(wrong.stderr)["event"]) == (2, "error")


def test_lines_where_there_is_no_terminal(monkeypatch, capsys):
    """The log of a batch job would say nothing for the night that a run takes."""
    from p2p_keras.core import progress

    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with progress.Progress("measuring", 1000) as shown:
        for done in range(1, 101):
            now[0] = float(done)
            shown.advance(done, 1.0, "2 failed")
    assert capsys.readouterr().err.splitlines() == [
        "measuring: 30 of 1000 galaxies, 1.0 galaxies/s, 16 min left, 2 failed",
        "measuring: 60 of 1000 galaxies, 1.0 galaxies/s, 16 min left, 2 failed",
        "measuring: 90 of 1000 galaxies, 1.0 galaxies/s, 15 min left, 2 failed",
    ]
    with progress.Progress("measuring", 1000, quiet=True) as shown:
        now[0] += 100.0
        shown.advance(200, 1.0)
    assert capsys.readouterr().err == ""


def test_no_colour_where_none_is_wanted(monkeypatch):
    """Log files and terminals of people who want none would be full of colour codes."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal_console().no_color


QUIET = """
import os, sys
from p2p_keras.core import quiet_tensorflow
quiet_tensorflow.install()
import tensorflow
{then}
"""


@pytest.mark.parametrize("level", [None, "3"])
def test_tensorflow_starts_in_silence(level, tmp_path):
    """Every program that loads TensorFlow would begin with six lines on oneDNN and CUDA that help nobody."""
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {} if level is None else {"TF_CPP_MIN_LOG_LEVEL": level}
    program = QUIET.format(
        then="tensorflow.constant(1); os.write(2, b'I0000 later\\n'); print('said', file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["I0000 later", "said"]  # afterwards nothing is left out


FAILING = {
    "raise": "raise ImportError('half an installation')",
    "abort": "os.write(2, b'F0000 no AVX on this machine\\n'); os.abort()",
    "error": "os.write(2, b'E0000 00:00:1 123 driver.cc:1] no memory on the device\\n')",
}


@pytest.mark.parametrize("how", FAILING)
def test_errors_of_the_import_are_seen(how, tmp_path):
    """A broken TensorFlow, or a machine that can't run it, would end a program without a word."""
    (tmp_path / "tensorflow.py").write_text(
        f"import os\nos.write(2, b'I0000 00:00:1 1 port.cc:153] oneDNN\\n')\n{FAILING[how]}\n"
    )
    program = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n" + QUIET.format(then="")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == (how == "error")
    words = {"raise": "half an installation", "abort": "no AVX on this machine", "error": "no memory on the device"}
    assert words[how] in done.stderr
    assert "oneDNN" not in done.stderr
