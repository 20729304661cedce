"""The one thing that pyproject.toml can't say: a wheel carries the shipped model, from its one home in saved_models/.

An editable install and a clone use saved_models/ itself, and nothing is copied (p2p_keras/core/model_files.py).
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
MODEL = "isophote"
BESIDE = ("model.onnx", "model.keras", "MODEL_CARD.md", "metrics.json")
"""What `predict`, `predict --attention` and `fit --init` need, and what tells how good the model is."""


class BuildWithModel(build_py):
    """Copies the newest version of the shipped model into the package that is built."""

    def run(self) -> None:
        """Build the package, without what an earlier build left in the build folder: modules and models of then."""
        if self.editable_mode:
            super().run()
            return
        package = Path(self.build_lib) / "p2p_keras"
        shutil.rmtree(package, ignore_errors=True)
        super().run()
        for source in shipped_files(ROOT / "saved_models"):
            target = package / source.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Name the model's files too, for those who ask what was built."""
        package = Path(self.build_lib) / "p2p_keras"
        model = [] if self.editable_mode else shipped_files(ROOT / "saved_models")
        return [*super().get_outputs(include_bytecode), *(str(package / path.relative_to(ROOT)) for path in model)]


def shipped_files(saved_models: Path) -> list[Path]:
    """Files of the shipped model's newest version, those beside it, and the configuration of TensorFlow Serving."""
    folder = saved_models / MODEL
    versions = [d for d in folder.iterdir() if d.name.isdigit() and (d / "saved_model.pb").is_file()]
    newest = max(versions, key=lambda d: int(d.name))
    files = [path for path in newest.rglob("*") if path.is_file()]
    return sorted([*files, *(folder / name for name in BESIDE), *saved_models.glob("*.config")])


setup(cmdclass={"build_py": BuildWithModel})
