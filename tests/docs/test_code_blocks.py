"""Every code block of README.md and docs/: run in page order in a scratch folder, or, where a comment says why it can't
be run here, held against the shell's grammar and the programs' own options.

In a page, just before a block:

``<!-- not run: REASON -->``
    The block isn't run. It must still parse, and its options exist.
``<!-- before: COMMANDS -->``
    Bash commands that prepare what the block needs. They don't show on the page.

Commands of this package and the examples are called in this process, so that each doesn't load everything anew; all
other lines go to bash.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import json
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import click
import numpy as np
import pytest

from p2p_keras import cli

sybil = pytest.importorskip("sybil")
from sybil.document import Document  # noqa: E402
from sybil.parsers.markdown.lexers import RawFencedCodeBlockLexer  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BASH = ("bash", "sh", "shell", "console")

_INFO = re.compile(r"(?P<language>[^\n]*)\n")
_NOTE = re.compile(r"<!--\s*(?P<kind>not run|before):\s*(?P<text>(?:(?!-->).)*?)\s*-->\s*\Z", re.DOTALL)
_PROGRAM = re.compile(r"(?:python\S* -m p2p_keras\.|p2p-keras )(?P<name>[a-z_]+)\b(?!\.[a-z])(?P<arguments>.*)")
_MODULE = re.compile(r"python\S* -m (?P<name>p2p_keras(?:\.[a-z_]+)+)")
_SCRIPT = re.compile(r"python\S* (?P<path>(?:examples|benchmarks|docs)/\S+\.py)\b")
_COMPOUND = re.compile(
    r"^\s*(for|while|until|if|case|cd|export|source|set|function|\w+=)\b|<<|\\\s*\n\s*[|&]", re.MULTILINE
)
_OPERATOR = re.compile(r"[|&;<>`]|\$\(")


def blocks_of(document: Document):
    """Yield the fenced blocks of a page: sybil's lexer, with the language and the comments just before a block."""
    for region in RawFencedCodeBlockLexer(_INFO)(document):
        language = region.lexemes["language"].strip()
        before, notes = document.text[: region.start].rstrip(), {}
        while note := _NOTE.search(before[-2000:]):
            notes[note["kind"]] = note["text"]
            before = before[-2000:][: note.start()].rstrip()
        region.parsed = (language, str(region.lexemes["source"]), notes)
        yield region


def parse(path: Path) -> Document:
    """A page with its blocks, in their order."""
    return Document.parse(str(path), blocks_of)


def commands_of(source: str) -> list[str]:
    """Commands of a bash block, one a logical line, without prompts, comments and blank lines."""
    lines = re.sub(r"\\\n\s*", " ", source).splitlines()
    lines = [re.sub(r"^\$ ", "", line.strip()) for line in lines]
    return [line for line in lines if line and not line.startswith("#")]


def words_of(text: str) -> list[str]:
    """Words of a command up to the first operator of the shell."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    words = []
    for word in lexer:
        if set(word) <= set("|&;<>()"):
            break
        words.append(word)
    return words


def complaints(command: str) -> list[str]:
    """What is wrong with a command line of this package: unknown programs, options, make targets, missing scripts."""
    wrong = []
    for match in _PROGRAM.finditer(command):
        program = cli.main.get_command(click.Context(cli.main), match["name"])
        if program is None:
            wrong.append(f"there is no program {match['name']!r}")
            continue
        known = {name for option in program.params for name in (*option.opts, *option.secondary_opts)}
        known |= {"-h", "--help", "--show-completion", "--install-completion"}
        given = {word.partition("=")[0] for word in words_of(match["arguments"]) if re.match(r"--?[A-Za-z]", word)}
        wrong += [f"{match['name']} has no option {option}" for option in sorted(given - known)]
    for match in _MODULE.finditer(command):
        path = ROOT / match["name"].replace(".", "/")
        if not (path.is_dir() or path.with_suffix(".py").is_file()):
            wrong.append(f"there is no module {match['name']}")
    if (match := _SCRIPT.search(command)) and not (ROOT / match["path"]).is_file():
        wrong.append(f"there is no {match['path']}")
    if match := re.match(r"make ([a-z-]+)", command):
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        wrong += [] if match[1] in targets else [f"make has no target {match[1]}"]
    return wrong


def run_bash(script: str) -> None:
    """Run a script in bash; its failure is ours."""
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"exit status {done.returncode} of:\n{script}\n{done.stdout}\n{done.stderr}"


def expand(arguments: str) -> list[str]:
    """Words of a command as bash makes them: patterns, quotes, variables."""
    done = subprocess.run(
        ["bash", "-euc", f'words() {{ [ $# = 0 ] || printf "%s\\0" "$@"; }}; words {arguments}'],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout.split("\0")[:-1]


def run_command(command: str) -> None:
    """Run one line: a program or script of the repository in this process, anything else in bash."""
    plain = re.sub(r"\s+#\s.*$", "", command)
    program, script = _PROGRAM.match(plain), _SCRIPT.match(plain)
    if _OPERATOR.search(plain) or not (program or script):
        run_bash(command)
    elif program:
        main = cli.main.get_command(click.Context(cli.main), program["name"])
        status = main.main(expand(program["arguments"]), prog_name=program["name"], standalone_mode=False)
        assert status in (None, 0), f"exit status {status} of: {command}"
    else:
        path, *arguments = expand(plain)[1:]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", [path, *arguments])
            runpy.run_path(path, run_name="__main__")


def run_block(language: str, source: str, namespace: dict) -> None:
    """Run a block in the working folder, with the names that earlier blocks of its page left."""
    if language == "python":
        code = compile(source, "block", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        if code.co_flags & inspect.CO_COROUTINE:  # `await`, as in a notebook
            asyncio.run(eval(code, namespace))
        else:
            exec(code, namespace)
    elif _COMPOUND.search(source):
        run_bash(source)
    else:
        for command in commands_of(source):
            run_command(command)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_blocks_are_right(path):
    """A reader would copy a command that doesn't parse, or an option that the program doesn't have."""
    wrong = []
    for example in parse(path):
        language, source, notes = example.parsed
        complained = []
        if language in BASH:
            done = subprocess.run(["bash", "-n", "-c", source], capture_output=True, text=True, timeout=60)
            complained.append(done.stderr.strip())
        elif language == "python":
            ast.parse(source)
        elif language == "json":
            json.loads(source)
        elif language == "toml":
            tomllib.loads(source)
        if notes.get("not run") == "":
            complained.append("says 'not run' without a reason")
        if language in (*BASH, "", "text"):
            complained += [complaint for command in commands_of(source) for complaint in complaints(command)]
        wrong += [f"{path.name}:{example.line}: {complaint}" for complaint in complained if complaint]
    prose = re.sub(r"^( *)(```|~~~).*?^\1\2", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    for inline in re.findall(r"`([^`]+)`", prose):
        wrong += [f"{path.name}: `{inline}`: {complaint}" for complaint in complaints(" ".join(inline.split()))]
    assert wrong == []


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    """A link to a file of the repository would be dead."""
    targets = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []


def runs(example) -> bool:
    """Whether a block is run."""
    language, _, notes = example.parsed
    return language in (*BASH, "python") and "not run" not in notes


RUNNABLE = [path for path in PAGES if any(runs(example) for example in parse(path))]


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: str(path.relative_to(ROOT)))
def test_blocks_run(path, scratch, request):
    """A reader who follows the page would meet an error."""
    from astropy.io import fits

    images = [fits.getdata(scratch / f"{band}.fits").astype(np.float32) for band in "gri"]
    calibrated = {"zero_point": 22.5, "pixel_scale": 0.396}
    from p2p_keras.images import GalaxyImage

    # The names that a page may take as the reader's own data.
    namespace = {
        "__name__": "page",
        "array": images[1],
        "paths": ["g.fits", "r.fits"],
        "list_of_images": [GalaxyImage.from_array(image, **calibrated) for image in images],
    }
    for example in parse(path):
        if not runs(example):
            continue
        language, source, notes = example.parsed
        if "localhost:8500" in source:
            source = source.replace("localhost:8500", request.getfixturevalue("server_address"))
        try:
            if "before" in notes:
                run_bash(notes["before"])
            run_block(language, source, namespace)
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{path.relative_to(ROOT)}, line {example.line}: {error!r}") from error
