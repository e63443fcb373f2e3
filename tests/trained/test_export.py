"""A trained experiment as a folder that transformers loads."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from asi_arch.cli.app import app
from asi_arch.configure import stored_config
from asi_arch.data.tokenizer import ByteTokenizer
from asi_arch.errors import UserError
from asi_arch.export import Trained, export_hf
from asi_arch.export.tokenizer import byte_tokenizer, write_tokenizer
from asi_arch.jobs.paths import JobPaths
from asi_arch.jobs.spec import training_name
from asi_arch.records import Campaign, Experiment, Run
from asi_arch.store import Store
from asi_arch.train.kernels import install
from asi_arch.train.model import build_model
from asi_arch.train.weights import load_weights

TEXT = "def f(x):\n    return 'wörld' # 中\n"


def trained(campaign: Campaign, experiment: Experiment, run: Run) -> Trained:
    config = stored_config(campaign)
    name = training_name(experiment.id, run.stage, run.seed)
    weights = JobPaths(Path(campaign.folder) / "jobs" / name).weights
    stage = getattr(config, run.stage)
    return Trained(experiment, run, stage, weights, ByteTokenizer(), config.data.source)


@pytest.fixture(scope="module", params=["explore", "confirm"])
def exported(
    request: pytest.FixtureRequest, database: str, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Trained, Path]:
    with Store.open(database) as store:
        campaign = store.campaign()
        run = next(r for r in store.runs(campaign.id, stage=request.param) if r.measurement)
        one = trained(campaign, store.experiment(run.experiment_id), run)
    folder = tmp_path_factory.mktemp("exported") / "model"
    export_hf(one, folder)
    return one, folder


def load(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).train(False)


def test_the_loaded_model_computes_what_the_trained_one_does(
    exported: tuple[Trained, Path],
) -> None:
    one, folder = exported
    torch.set_num_threads(1)
    install()
    torch.manual_seed(one.run.seed)
    model, _ = build_model(one.program, one.stage, 256)
    load_weights(model, one.weights)
    tokens = torch.tensor([ByteTokenizer().encode(TEXT)])
    with torch.no_grad():
        expected, loaded = model.eval()(tokens), load(folder)(tokens, labels=tokens)
    torch.testing.assert_close(loaded.logits, expected, rtol=1e-5, atol=1e-5)
    losses = torch.nn.functional.cross_entropy(expected[0, :-1], tokens[0, 1:])
    assert loaded.loss.item() == pytest.approx(losses.item(), abs=1e-5)


def test_the_loaded_model_writes_on(exported: tuple[Trained, Path]) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(exported[1], trust_remote_code=True)
    model, asked = load(exported[1]), tokenizer(["import", "x"], return_tensors="pt", padding=True)
    alone = model.generate(**tokenizer("x", return_tensors="pt"), max_new_tokens=3)
    both = model.generate(**asked, max_new_tokens=3)
    assert both.shape == (2, 9) and alone.shape == (1, 4)
    assert str(tokenizer.decode(alone[0])).startswith("x")


def test_nothing_in_the_folder_is_executed_but_what_is_readable(
    exported: tuple[Trained, Path],
) -> None:
    one, folder = exported
    assert {path.suffix for path in folder.iterdir()} <= {".py", ".json", ".safetensors", ".md"}
    assert (folder / "program.py").read_text() == one.program
    config = json.loads((folder / "config.json").read_text())
    assert config["program"] == one.program and config["tied_head"] == (one.run.stage == "explore")
    got = one.run.measurement
    assert got is not None and f"{got.loss:.4f}" in (folder / "README.md").read_text()


def test_a_folder_in_use_is_left_alone(exported: tuple[Trained, Path], tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="is not empty; name another folder with --out"):
        export_hf(exported[0], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_byte_tokenizer_is_ours() -> None:
    made = byte_tokenizer()
    assert made.get_vocab_size() == 256
    everything = "".join(map(chr, [*range(300), 0x4E2D, 0x1F600]))
    for text in (TEXT, everything, ""):
        ids = made.encode(text, add_special_tokens=False).ids
        assert ids == ByteTokenizer().encode(text)
        assert made.decode(ids, skip_special_tokens=False) == text


def test_another_tokenizer_is_written_as_it_is(tmp_path: Path) -> None:
    from asi_arch.data.tokenizer import load_tokenizer

    made = byte_tokenizer()
    made.add_special_tokens(["<|endoftext|>"])
    made.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "out").mkdir()
    write_tokenizer(load_tokenizer(str(tmp_path)), tmp_path / "out")
    same = [(tmp_path / part / "tokenizer.json").read_bytes() for part in (".", "out")]
    assert same[0] == same[1]
    config = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert config["eos_token"] == config["pad_token"] == "<|endoftext|>"


def call(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_the_command(database: str, tmp_path: Path) -> None:
    out = tmp_path / "model"
    result = call("export", 1, "--out", str(out), "--db", database, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["stage"] == "confirm"
    assert (out / "model.safetensors").is_file()
    again = call("export", 1, "--out", str(out), "--db", database)
    assert again.exit_code == 2 and "is not empty" in again.stderr
    other = call("export", 1, "--out", str(tmp_path / "x"), "--seed", 77, "--db", database)
    assert other.exit_code == 2 and "there are: confirm seed 11 (complete)" in other.stderr
