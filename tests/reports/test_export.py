"""Runs for trackers, read back by their own clients: what a record says, once, however often."""

import importlib.util
import json
import pkgutil
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ablations.plan import Plan
from ablations.store import Store
from alexnet.measures import Measures
from reports.commands import export
from reports.evidence import EVIDENCE
from tests.builders.command_line import call
from tests.builders.plans import HELPS, filled, of_errors
from tests.builders.records import measures_of, record_of
from tests.builders.wandb_files import records_in

pytestmark = pytest.mark.filterwarnings(  # of MLflow's own tables, by SQLAlchemy
    "ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning"
)
CLIENTS = ("tensorboard", "mlflow", "wandb")
TANH, RELU = [0.6, 0.3, 0.1], [0.4, 0.0]


class Seen(NamedTuple):
    """A run as a client reads it."""

    group: str
    name: str
    steps: dict[str, list[tuple[int, float]]]  # by metric: step and value
    final: dict[str, float]
    params: dict[str, str]
    tags: dict[str, str]


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a client that is installed here; its own warnings are its own."""
    for module in export.NEEDED[request.param]:
        if importlib.util.find_spec(module) is None:
            pytest.skip(f"{module} is not installed: pip install -e '.[trackers]'")
    monkeypatch.setenv("WANDB_API_KEY", "none")
    return str(request.param)


def exported(client: str, out: Path, *results: Path, options: tuple[str, ...] = ()) -> str:
    """Export results folders; return what was said."""
    folders = [part for one in results for part in ("--results", str(one))]
    code, said = call("export", "--to", client, *folders, "--out", out, *options)
    assert code == 0, said
    return said


def read(client: str, out: Path) -> list[Seen]:
    """Return every run that lies in a folder, as the client's own reader has it."""
    return {"tensorboard": in_tensorboard, "mlflow": in_mlflow, "wandb": in_wandb}[client](out)


def in_tensorboard(out: Path) -> list[Seen]:
    """Return the runs that TensorBoard's own accumulator finds."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams.metadata import parse_session_start_info_plugin_data

    found = []
    for path in sorted(out.rglob("events.out.tfevents.*")):
        events = EventAccumulator(str(path), size_guidance={"scalars": 0})
        events.Reload()
        tags = events.Tags()
        scalars = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
        (start,) = events.PluginTagToContent("hparams").values()
        hparams = parse_session_start_info_plugin_data(start).hparams
        values = {k: getattr(v, v.WhichOneof("kind")) for k, v in hparams.items()}
        found.append(
            Seen(
                group=path.relative_to(out).parts[0],
                name=path.parent.name,
                steps={k: v for k, v in scalars.items() if not k.startswith("final/")},
                final={k[6:]: v[0][1] for k, v in scalars.items() if k.startswith("final/")},
                params={name: str(value) for name, value in values.items()},
                tags={
                    tag[6:]: events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
                    for tag in tags["tensors"]
                    if tag.startswith("about/")
                },
            )
        )
    return found


def in_mlflow(out: Path) -> list[Seen]:
    """Return the runs that MLflow's own client finds."""
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{out.resolve() / 'mlflow.db'}")
    found = []
    for experiment in client.search_experiments():
        for run in client.search_runs([experiment.experiment_id], max_results=5000):
            history = {
                name: [(m.step, m.value) for m in client.get_metric_history(run.info.run_id, name)]
                for name in run.data.metrics
            }
            found.append(
                Seen(
                    group=experiment.name,
                    name=run.info.run_name,
                    steps={k: sorted(v) for k, v in history.items() if "/" not in k},
                    final={k[6:]: v[0][1] for k, v in history.items() if k.startswith("final/")},
                    params=dict(run.data.params),
                    tags=dict(run.data.tags),
                )
            )
    return found


def in_wandb(out: Path) -> list[Seen]:
    """Return the runs in the offline files, by their client's own messages."""
    found = []
    for path in sorted(out.glob("offline-run-*/*.wandb")):
        records = records_in(path)
        (run,) = (record.run for record in records if record.WhichOneof("record_type") == "run")
        config = {item.key: json.loads(item.value_json) for item in run.config.update}
        steps: dict[str, list[tuple[int, float]]] = {}
        final: dict[str, float] = {}
        for record in records:
            values = {
                item.key or ".".join(item.nested_key): json.loads(item.value_json)
                for item in (*record.history.item, *record.summary.update)
            }
            for name, value in values.items():
                if name.startswith("final/"):
                    final[name[6:]] = value
                elif record.WhichOneof("record_type") == "history" and name[0] != "_":
                    steps.setdefault(name, []).append((int(values["_step"]), value))
        found.append(
            Seen(
                group=run.run_group,
                name=run.display_name,
                steps=steps,
                final=final,
                params={k: str(v) for k, v in config.items() if "about." not in k},
                tags={k[6:]: v for k, v in config.items() if k.startswith("about.")},
            )
        )
    return found


def with_runs(results: Path) -> tuple[Plan, Store]:
    """Return a study of errors, two arms of two seeds, one of which diverged."""
    plan, store = of_errors(HELPS), Store(results)
    store.write_plan(plan)
    store.add(record_of(plan.run("with", 0), [0.5, 0.25], measures=measured()))
    store.add(record_of(plan.run("with", 1), [0.5, 0.2], measures=measured()))
    store.add(record_of(plan.run("without", 0), [0.75], measures=measured()))
    store.add(record_of(plan.run("without", 1), [0.9], status="diverged"))
    return plan, store


def measured() -> Measures:
    """Return final errors that single precision holds in full."""
    return measures_of(0.125, 0.25, 0.375)


def test_what_a_client_reads_is_what_the_record_says(
    client: str, results: Path, tmp_path: Path
) -> None:
    """Curves by epoch, final errors, the config, and by which run of which study they are."""
    plan, _ = with_runs(results)

    said = exported(client, tmp_path / "out", results)

    assert "runs 4 finished, 0 there already" in said
    assert "written 4 to" in said
    seen = {(run.tags["arm"], run.tags["seed"]): run for run in read(client, tmp_path / "out")}
    assert len(seen) == 4
    run = seen["with", "0"]
    assert run.group == plan.name
    assert run.name == ("seed 0" if client == "tensorboard" else "with, seed 0")
    assert [step for step, _ in run.steps["training_error"]] == [1, 2]
    assert [value for _, value in run.steps["training_error"]] == pytest.approx([0.5, 0.25])
    assert [value for _, value in run.steps["training_loss"]] == pytest.approx([0.55, 0.55])
    assert (run.final["train_error"], run.final["test_error"]) == (0.125, 0.375)
    assert run.final["compared"] == 0.375
    rate = plan.run("with", 0).config.training.optimizer.rate
    assert float(run.params["training.optimizer.rate"]) == rate
    assert float(run.params["training.epochs"]) == plan.definition.arms["with"].training.epochs
    assert float(run.params["network.convolutions.conv2.maps"]) == 8
    assert run.params["network.convolutions.conv1.then"] == "act, norm, pool"
    assert seen["without", "0"].params["network.parts.norm"] == "none"
    expected = {
        "study": "norm", "dataset": "fashion_mini", "phase": "comparison", "planned": "true",
        "run_id": plan.run("with", 0).short, "status": "finished", "smoke": "false",
    }  # fmt: skip
    assert expected.items() <= run.tags.items()
    diverged = seen["without", "1"]
    assert (diverged.tags["status"], diverged.final) == ("diverged", {})
    assert [step for step, _ in diverged.steps["training_error"]] == [1]


def test_a_second_export_adds_nothing_and_new_runs_alone(
    client: str, results: Path, tmp_path: Path
) -> None:
    """Nor is a file touched."""
    plan, store = with_runs(results)
    out = tmp_path / "out"
    exported(client, out, results)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}

    said = exported(client, out, results)

    assert "4 finished, 4 there already written 0 to" in said
    after = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    assert {path.name for path in after} == {path.name for path in before}
    assert [p for p in before if p.suffix != ".lock" and before[p] != after[p]] == []
    store.add(record_of(plan.run("with", 2), [0.5], measures=measured()))
    assert "5 finished, 4 there already written 1 to" in exported(client, out, results)
    assert sorted(run.tags["run_id"] for run in read(client, out)) == sorted(
        record.run.short for record in store.records()
    )


def test_a_run_that_was_trained_again_takes_the_place_of_the_first(
    client: str, results: Path, tmp_path: Path
) -> None:
    """It is there once, with its new numbers."""
    plan, store = with_runs(results)
    out = tmp_path / "out"
    exported(client, out, results)
    store.add(record_of(plan.run("with", 0), [0.5, 0.1], measures=measured()))

    assert "4 finished, 3 there already written 1 to" in exported(client, out, results)

    seen = [run for run in read(client, out) if run.tags["arm"] == "with"]
    assert sorted(run.tags["seed"] for run in seen) == ["0", "1"]
    (again,) = (run for run in seen if run.tags["seed"] == "0")
    assert [value for _, value in again.steps["training_error"]] == pytest.approx([0.5, 0.1])


def test_what_was_cut_off_is_written_whole_by_the_next_export(
    client: str, results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Interrupted in the middle of the third run: nothing is half there or twice."""
    with_runs(results)
    out = tmp_path / "out"
    writer = {
        "tensorboard": "reports.commands.export.for_tensorboard.write_atomically",
        "mlflow": "mlflow.tracking.MlflowClient.set_terminated",
        "wandb": "wandb.sdk.wandb_run.Run.finish",
    }[client]
    owner, name = pkgutil.resolve_name(writer.rpartition(".")[0]), writer.rpartition(".")[2]
    whole, calls = getattr(owner, name), []

    def interrupted(*arguments: Any, **options: Any) -> Any:
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return whole(*arguments, **options)

    monkeypatch.setattr(owner, name, interrupted)
    code, _ = call("export", "--to", client, "--results", results, "--out", out)
    assert code == 130
    monkeypatch.setattr(owner, name, whole)

    assert "4 finished, 2 there already written 2 to" in exported(client, out, results)

    assert len(read(client, out)) == 4
    assert len({run.tags["run_id"] for run in read(client, out)}) == 4
    assert not list(out.rglob(".partial*"))


def test_runs_of_two_studies_are_in_each(client: str, tmp_path: Path) -> None:
    """And those that chose a rate are named by it: of the evidence that ships."""
    out = tmp_path / "out"
    exported(client, out, EVIDENCE, options=("--study", "ten_views"))
    exported(client, out, EVIDENCE, options=("--study", "ensembles"))

    seen = read(client, out)
    groups = {run.group for run in seen}
    on = ("cifar10", "cifar10_jpeg")
    assert groups == {f"{study}@{images}" for study in ("ten_views", "ensembles") for images in on}
    assert len(seen) == 2 * (22 + 18)  # 12 and 8 of them chose a rate
    assert len({run.tags["run_id"] for run in seen}) == 22 + 18
    tuning = [run for run in seen if run.tags["phase"] == "tuning"]
    assert len(tuning) == 2 * (12 + 8)
    for run in tuning:
        assert f"rate {float(run.params['training.optimizer.rate']):g}, seed 100" in run.name
        assert "test_error" not in run.final
    files = {p.parent.name: json.loads(p.read_text()) for p in EVIDENCE.glob("runs/*/record.json")}
    for run in seen:
        record = files[run.tags["run_id"]]
        losses = [epoch["loss"] for epoch in record["curve"]]
        assert [value for _, value in run.steps["training_loss"]] == pytest.approx(losses, rel=1e-6)
        valid = record["measures"]["valid"]["top1_error"]
        assert run.final["valid_error"] == pytest.approx(valid, rel=1e-6)


def test_a_dry_run_writes_nothing(client: str, results: Path, tmp_path: Path) -> None:
    """Not even a folder; what is there already it knows."""
    with_runs(results)
    assert "4 would be written to" in exported(
        client, tmp_path / "out", results, options=("--dry-run",)
    )
    assert not (tmp_path / "out").exists()


def test_arms_may_be_called_anything(client: str, results: Path, tmp_path: Path) -> None:
    """A name that is a path stays inside the folder, and no two are one."""
    plan, store = with_runs(results)
    content = json.loads(plan.to_json())
    del content["sha256"]
    for name, odd in (("with", ".."), ("without", "a/b: *?")):
        content = json.loads(json.dumps(content).replace(f'"{name}"', json.dumps(odd)))
    shutil.rmtree(results / "plans")
    store.write_plan(Plan.model_validate(content))
    out = tmp_path / "inside" / "out"

    exported(client, out, results)

    assert {path.name for path in out.parent.iterdir()} == {"out"}
    assert {path.name for path in tmp_path.iterdir()} == {"inside", "results"}
    assert {run.tags["arm"] for run in read(client, out)} == {"..", "a/b: *?"}


def test_its_default_place_is_in_the_results_folder(client: str, results: Path) -> None:
    """`invoke results` knows what that is, and does not offer to delete it."""
    with_runs(results)
    code, said = call("export", "--to", client, "--results", results)
    assert code == 0, said
    assert len(read(client, results / "export" / client)) == 4

    _, listed = call("results", "--results", results)
    assert "runs exported to trackers 1 " in listed
    assert "unneeded nothing" in listed


def test_mlflow_takes_an_address_of_its_own(results: Path, tmp_path: Path) -> None:
    """In place of a folder; one that cannot be opened is refused in a sentence."""
    for module in export.NEEDED["mlflow"]:
        pytest.importorskip(module)
    with_runs(results)
    (tmp_path / "mine").mkdir()
    uri = f"sqlite:///{tmp_path / 'mine' / 'mlflow.db'}"

    for written in (4, 0):
        code, said = call("export", "--to", "mlflow", "--results", results, "--uri", uri)
        assert code == 0
        assert f"written {written} to {uri}" in said
    assert len(in_mlflow(tmp_path / "mine")) == 4
    assert not (results / "export").exists()


@pytest.mark.parametrize("uri", ["nonsense://x", "http://localhost:1/x", "sqlite:////dev/null/x"])
def test_an_address_that_does_not_answer_is_refused(uri: str, results: Path) -> None:
    """In a sentence, and soon."""
    for module in export.NEEDED["mlflow"]:
        pytest.importorskip(module)
    with_runs(results)

    code, said = call("export", "--to", "mlflow", "--results", results, "--uri", uri)

    assert code == 2
    assert f"{uri} cannot be read: " in said


def test_an_experiment_that_was_deleted_is_not_made_again(results: Path, tmp_path: Path) -> None:
    """MLflow keeps its name; a person decides."""
    for module in export.NEEDED["mlflow"]:
        pytest.importorskip(module)
    from mlflow.tracking import MlflowClient

    plan, _ = with_runs(results)
    exported("mlflow", tmp_path, results)
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    client.delete_experiment(client.get_experiment_by_name(plan.name).experiment_id)

    code, said = call("export", "--to", "mlflow", "--results", results, "--out", tmp_path)

    assert code == 2
    assert f"the experiment {plan.name} was deleted" in said


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--to", "tensorboard", "--uri", "x"), "--uri is where MLflow keeps its runs"),
        (("--to", "mlflow", "--uri", "x", "--out", "y"), "in place of a folder (--out)"),
        (("--to", "comet"), "'comet' is not one of 'tensorboard', 'mlflow', 'wandb'"),
        ((), "Missing option '--to'"),
        (("--to", "tensorboard", "--study", "dropout"), "no run of dropout is finished in"),
        (("--to", "tensorboard", "--results", "nowhere"), "no study has been run in nowhere"),
    ],
)
def test_what_cannot_be_exported_is_refused(
    options: tuple[str, ...], message: str, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence, with exit code 2, whether or not a client is installed."""
    monkeypatch.setattr(export, "NEEDED", dict.fromkeys(CLIENTS, ()))
    filled(results, 1, tanh=TANH, relu=RELU)
    given = options if "--results" in options else (*options, "--results", str(results))

    code, said = call("export", *given)

    assert code == 2
    assert message in said


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_that_is_missing_is_named_with_the_way_to_it(
    client: str, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence; nothing is written."""
    filled(results, 1, tanh=TANH, relu=RELU)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    code, said = call("export", "--to", client, "--results", results)

    assert code == 2
    assert f"{client} needs the package {client}, which is not installed here" in said
    assert "pip install 'alexnet-ablations[trackers]'" in said
    assert not (results / "export").exists()


def loaded(client: str) -> Iterator[str]:
    """Yield what lies on the way of a client's module, without the client itself."""
    yield from ("torch", "tensorflow", *(set(CLIENTS) - {client}))


def test_exporting_loads_one_client_and_no_pytorch(
    client: str, results: Path, tmp_path: Path
) -> None:
    """It reads records, as a report does."""
    filled(results, 1, tanh=TANH, relu=RELU)
    code = (
        "import sys\nfrom reports.cli import main\n"
        f"main(['export', '--to', {client!r}, '--results', {str(results)!r}, "
        f"'--out', {str(tmp_path / 'out')!r}], standalone_mode=False)\n"
        f"print('loaded', [name for name in {[*loaded(client)]!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "loaded []" in done.stdout
