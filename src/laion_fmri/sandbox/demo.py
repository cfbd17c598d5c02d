"""The main job on the miniature, from an empty folder: browse, plan, accept, download, read, join, draw."""

from __future__ import annotations

import io
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from laion_fmri.errors import SelectionError

_MARKER = ".laion-fmri-demo"
_SUBJECT, _SESSION, _ROI = "03", "01", "V1v"
_FACES, _SESSIONS = "FFA1", ["01", "02"]
_PIXELS = 200
_FORM = (
    "Ada Example",
    "ada@example.org",
    "Example University",
    "",
    "Showing how the demo of the software works.",
    "yes",
)


def run(folder: Path) -> None:
    """Run the demo.

    Parameters
    ----------
    folder : Path
        Where the data and the picture land: an empty or new folder, or the one of an earlier demo, which starts anew.

    Raises
    ------
    SelectionError
        If the folder holds anything else.
    """
    from laion_fmri.sandbox import make_dataset, serve

    _prepare(folder)
    _say("The real dataset is large and behind a network. This is a miniature of it, served on this machine.")
    with tempfile.TemporaryDirectory() as bucket:
        make_dataset(Path(bucket), pixels=_PIXELS)
        with serve(Path(bucket)) as server, _environment(server.environment(folder)):
            _tour(folder)


def _prepare(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise SelectionError(
            f"{folder} is not empty and no demo made it; name another one: laion-fmri demo --folder PATH"
        )
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    (folder / _MARKER).touch()


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _tour(folder: Path) -> None:
    wanted = ["download", "--subject", f"sub-{_SUBJECT}", "--ses", f"ses-{_SESSION}", "--include-anatomical"]
    _say("1. Choose where the data shall live.")
    _command(["config", "--data-dir", str(folder / "data")])
    _say("2. Browse: what the dataset has, and what there is to read.")
    _command(["info"])
    _command(["ls"])
    _say("3. Plan: what one session needs, before anything is downloaded.")
    _command([*wanted, "--dry-run"])
    _say("4. Download. The licence is asked for once; the demo types the answer.")
    _command(wanted, "I AGREE")
    _say("5. The same again: nothing to do.")
    _command(wanted)
    _say("6. Read the trials of one region of interest, labelled.")
    _read(folder / "mean-response-per-roi.png")
    _say("8. What belongs to the images. Captions and embeddings are public; the images take an agreement, once.")
    _say("The demo fills in its form; with the real dataset, you do.")
    _command(["download-captions"])
    _command(["download-embeddings", "--model", "CLIP"])
    _command(["download-stimuli"], *_FORM)
    _command(["status"])
    _say("9. Two sessions, z-scored and averaged over repetitions: draw what a region answers to.")
    _command(["download", "--subject", f"sub-{_SUBJECT}", "--ses", *(f"ses-{session}" for session in _SESSIONS)])
    _join(folder / "images-and-responses.png")


def _say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n")


def _command(arguments: list[str], *answers: str) -> None:
    from laion_fmri.cli import main

    sys.stdout.write(f"\n$ laion-fmri {' '.join(arguments)}\n")
    sys.stdout.flush()
    stdin = sys.stdin
    if answers:
        sys.stdin = _Typed("\n".join(answers))
    try:
        code = main(arguments)
    finally:
        sys.stdin = stdin
    if code:
        raise SystemExit(code)


class _Typed(io.StringIO):
    """Lines of standard input, each of which shows when it is read, as on a terminal."""

    def __init__(self, lines: str) -> None:
        super().__init__(f"{lines}\n")

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        line = super().readline(-1 if size is None else size)
        sys.stdout.write(line)
        return line

    def isatty(self) -> bool:
        return True


def _read(picture: Path) -> None:
    import laion_fmri
    from laion_fmri.sandbox.picture import draw_mean_responses

    _say(
        ">>> import laion_fmri\n"
        ">>> cat = laion_fmri.open_catalog()\n"
        f'>>> cat.betas(subject="{_SUBJECT}", ses="{_SESSION}").read(roi="{_ROI}")'
    )
    cat = laion_fmri.open_catalog()
    session = cat.betas(subject=_SUBJECT, ses=_SESSION)
    sys.stdout.write(f"{session.read(roi=_ROI)!r}\n")
    _say("7. Draw the mean response of every region.")
    draw_mean_responses(session.read(), cat.rois(subject=_SUBJECT).read(), picture)
    sys.stdout.write(f"wrote {picture}\n")


def _join(picture: Path) -> None:
    import laion_fmri
    from laion_fmri.sandbox.picture import draw_images_and_responses

    betas = laion_fmri.open_catalog().betas(subject=_SUBJECT, ses=_SESSIONS)
    responses = betas.read(roi=_FACES, zscore="session", average="image")
    captions = laion_fmri.Captions()
    with laion_fmri.load_stimuli() as stimuli:
        draw_images_and_responses(responses, stimuli.images.get, lambda name: captions.human(name)[0], _FACES, picture)
    sys.stdout.write(f"wrote {picture}\n")
