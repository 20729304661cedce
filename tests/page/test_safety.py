"""What a page may open, whom it lets in, how much it takes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from p2p_keras.core.errors import InputError, UsageError
from p2p_keras.page.places import Places


def test_only_named_folders_are_open(tmp_path):
    """A page would open files of the machine: by a path, with dots in it, or through a link that someone put there."""
    (tmp_path / "open" / "deep").mkdir(parents=True)
    (tmp_path / "closed").mkdir()
    for name in ("open/a.fits", "open/deep/b.fits", "closed/c.fits", "closed/d.fits"):
        (tmp_path / name).touch()
    (tmp_path / "open" / "link.fits").symlink_to(tmp_path / "closed" / "c.fits")
    places = Places([tmp_path / "open"], [tmp_path / "closed" / "d.fits"])
    assert places.path_of("a.fits") == tmp_path / "open" / "a.fits"
    assert places.path_of("deep/b.fits").exists()
    assert places.path_of(tmp_path / "closed" / "d.fits").exists()  # a table names it
    refused = (
        "../closed/c.fits",
        str(tmp_path / "closed" / "c.fits"),
        "link.fits",
        "/etc/passwd",
        "a\0.fits",
        "none.fits",
    )
    sentences = set()
    for name in refused:
        with pytest.raises(InputError) as error:
            places.path_of(name)
        sentences.add(error.value.cause)
    assert len(sentences) == 1  # what is there and what isn't can't be told apart


def test_upload_is_bounded():
    """Someone could fill the server's memory, in one file or in many pieces of it."""
    from p2p_keras.page import widgets

    refused: list[str] = []
    dropper = widgets.Dropper()
    dropper.when_refused(refused.append)

    def send(name: str, chunk: int, chunks: int, size: int) -> None:
        data = {"name": name, "chunk": chunk, "total_chunks": chunks, "data": bytes(size), "type": ""}
        dropper._process_event(SimpleNamespace(event_name="upload_event", data=data))

    piece = widgets.MAX_UPLOAD // 4
    for chunk in range(1, 7):
        send("large.fits", chunk, 6, piece)
    assert refused == ["large.fits"]
    assert dropper.value == {}
    assert dropper._file_buffer == {}
    send("small.fits", 1, 1, 100)
    assert dropper.value == {"small.fits": bytes(100)}


def test_huge_image_is_refused_in_a_sentence(images, monkeypatch):
    """One visitor's mosaic would hold up everybody else on the page."""
    from p2p_keras.page.measuring import measurement
    from p2p_keras.page.measuring.models import Models
    from p2p_keras.page.measuring.request import Request

    monkeypatch.setattr(measurement, "MAX_PIXELS", 200 * 239)
    measured = measurement.measure(Request(path=str(images / "field.fits"), shown="field.fits"), Models())
    assert measured.error == "field.fits: an image of 240 x 200 px is too large for the page; use predict"
    assert measured.field is None


@pytest.fixture(scope="module")
def guarded() -> Iterator[tuple[str, str]]:
    """Address of a page that asks for a token, and the token."""
    from p2p_keras.page.server import start_server

    started = threading.Event()
    running: dict = {}

    def serve() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        import panel as pn
        from tornado.ioloop import IOLoop

        running["server"] = start_server({"/": lambda: pn.pane.Str("the page")}, token="sesame")
        running["loop"] = IOLoop.current()
        started.set()
        running["loop"].start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    assert started.wait(60)
    yield f"http://127.0.0.1:{running['server'].port}/", "sesame"
    running["loop"].add_callback(running["loop"].stop)
    thread.join(10)


def test_stranger_is_asked_for_the_token(guarded):
    """Whoever reaches the port would see the images."""
    import requests

    address, token = guarded
    asked = requests.get(address, timeout=20)
    assert asked.url.startswith(f"{address}token")
    assert "the page" not in asked.text
    assert requests.get(f"{address}?token=wrong", timeout=20).url.startswith(f"{address}token")
    visitor = requests.Session()
    assert "Bokeh" in visitor.get(f"{address}?token={token}", timeout=20).text
    assert visitor.get(address, timeout=20).url == address  # the browser keeps it
    assert requests.post(f"{address}token", data={"token": "wrong"}, timeout=20).status_code == 403
    typed = requests.Session()
    assert typed.post(f"{address}token", data={"token": token}, timeout=20).url == address


@pytest.mark.parametrize(
    ("origin", "known", "status"), [("own", True, 101), ("own", False, 403), ("http://evil", True, 403)]
)
def test_websocket_is_closed_to_strangers(guarded, origin, known, status):
    """A page of another site, open in the same browser, could steer this one; or someone without the token."""
    import requests

    address, token = guarded
    visitor = requests.Session()
    if known:
        visitor.get(f"{address}?token={token}", timeout=20)
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "x" * 22 + "==",
        "Origin": address.rstrip("/") if origin == "own" else origin,
    }  # fmt: skip
    answer = visitor.get(f"{address}ws", headers=headers, timeout=20, stream=True, allow_redirects=False)
    assert answer.status_code == status
    answer.close()


def test_page_that_others_reach_needs_a_token():
    """A page on all interfaces would stand open."""
    from p2p_keras.page.server import is_own, start_server

    assert is_own("127.0.0.1")
    assert is_own("localhost")
    assert not is_own("0.0.0.0")
    assert not is_own("192.168.1.1")
    with pytest.raises(ValueError, match="needs a token"):
        start_server({}, host="0.0.0.0")


def test_wrong_arguments_are_refused_before_a_page_opens(tmp_path):
    """A browser would open on nothing."""
    from p2p_keras.page.application import Application

    with pytest.raises(UsageError, match=r"none\.fits"):
        Application.of([str(tmp_path / "none.fits")])
    table = tmp_path / "notes.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"notes\.csv"):
        Application.of([str(table)])
    other = Path(table).with_name("more.csv")
    other.write_text("name\nx\n")
    with pytest.raises(UsageError, match="one table at a time"):
        Application.of([str(table), str(other)])
