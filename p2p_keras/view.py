"""Look at galaxies in a browser: ``python -m p2p_keras.view [IMAGE ... | RESULTS]``."""

from __future__ import annotations

import click

from p2p_keras.core.program import Program, quiet_option

__all__ = ["main"]


@click.command(cls=Program)
@click.argument("paths", nargs=-1, metavar="[IMAGE... | RESULTS]")
@click.option(
    "--host", default="127.0.0.1", help="Address to listen on; an address other than this machine's own needs a token."
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port; 0 takes a free one.")
@click.option("--browser/--no-browser", default=True, help="Open the page in the browser.")
@click.option(
    "--model",
    "models",
    multiple=True,
    metavar="DIR",
    help="Model to offer on the page; may be repeated.  [default: the shipped model]",
)
@click.option("--threads", type=click.IntRange(min=1), help="Threads of the model.  [default: all cores]")
@quiet_option
def main(
    paths: tuple[str, ...],
    host: str,
    port: int,
    browser: bool,
    models: tuple[str, ...],
    threads: int | None,
    quiet: bool,
) -> None:
    """Measure galaxies on a page in the browser, or look through the results of a run.

    IMAGE is a FITS file, a folder of them, a pattern or @list.txt. The page shows the image, and measures the galaxy
    that you click. RESULTS is what `predict` or `survey` has written: a table (.ecsv, .fits, .parquet, .csv), or the
    folder of a survey's catalogue. The page shows the table with pictures and profiles, and keeps your verdicts. If the
    images have been moved, name their new folders too.

    Only this machine can open the page, unless --host says otherwise. The page opens only files in the folders of what
    you name here. Ctrl-C ends it.
    """
    import gc

    from p2p_keras.page.measuring.models import Models

    gc.disable()  # until the first page is ready: it would go through all that is imported again and again, in vain
    known = Models(models or (None,), threads)
    known.begin()
    from p2p_keras.page.application import Application

    application = Application.of(paths, known)
    server, address = application.serve(host, port)
    if not quiet:
        click.echo(f"the page is at {address} (Ctrl-C ends it)", err=True)
    if browser:
        import webbrowser

        server.io_loop.add_callback(webbrowser.open, address)
    application.run(server)


if __name__ == "__main__":
    main(prog_name="python -m p2p_keras.view")
