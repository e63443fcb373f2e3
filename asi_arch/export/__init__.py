"""A trained experiment as a folder that `transformers` loads."""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asi_arch.config import Stage
from asi_arch.data.tokenizer import Tokenizer
from asi_arch.errors import UserError
from asi_arch.export.tokenizer import write_tokenizer
from asi_arch.records import Experiment, Run

__all__ = ["Trained", "export_hf"]

MODELING = "modeling_asi_arch"


@dataclass(frozen=True)
class Trained:
    """A run whose weights lie in a file, and all that they depend on."""

    experiment: Experiment
    run: Run
    stage: Stage
    weights: Path
    tokenizer: Tokenizer
    data: str

    @property
    def program(self) -> str:
        """The text of the layer."""
        assert self.experiment.program is not None
        return self.experiment.program.source


def export_hf(trained: Trained, folder: Path) -> None:
    """Write configuration, code, program, weights (safetensors), tokenizer and a model card.

    Raises:
        UserError: the folder has something in it.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} exists and is not empty; name another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(_config(trained), indent=1) + "\n")
    generation = {"use_cache": False, "eos_token_id": _end(trained.tokenizer)}
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=1) + "\n")
    shutil.copyfile(Path(__file__).with_name(f"{MODELING}.py"), folder / f"{MODELING}.py")
    (folder / "program.py").write_text(trained.program, encoding="utf-8")
    _copy_weights(trained.weights, folder / "model.safetensors")
    write_tokenizer(trained.tokenizer, folder)
    (folder / "README.md").write_text(_card(trained), encoding="utf-8")


def _config(trained: Trained) -> dict[str, Any]:
    stage, got = trained.stage, trained.run.measurement
    assert got is not None
    return {
        "model_type": "asi_arch",
        "architectures": ["AsiArchForCausalLM"],
        "auto_map": {
            "AutoConfig": f"{MODELING}.AsiArchConfig",
            "AutoModelForCausalLM": f"{MODELING}.AsiArchForCausalLM",
        },
        "dtype": "float32",
        "vocab_size": stage.vocab_size or trained.tokenizer.vocab_size,
        "hidden_size": stage.hidden_size,
        "num_hidden_layers": stage.num_layers,
        "num_attention_heads": stage.num_heads,
        "intermediate_size": got.mlp_width,
        "max_position_embeddings": stage.length,
        "tied_head": stage.tied,
        "seed": trained.run.seed,
        "eos_token_id": _end(trained.tokenizer),
        "pad_token_id": _end(trained.tokenizer),
        "layer_class": _layer_class(trained.program),
        "program": trained.program,
    }


def _end(tokenizer: Tokenizer) -> int | None:
    return 0 if tokenizer.name == "bytes" else tokenizer.end


def _layer_class(program: str) -> str:
    from asi_arch.train.kernels import install
    from asi_arch.train.layer import load_layer

    install()
    return load_layer(program).__name__


def _copy_weights(weights: Path, target: Path) -> None:
    """Copy tensors one by one, and nothing else that the file may hold."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    with safe_open(weights, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    save_file(tensors, target, {"format": "pt"})


def _card(trained: Trained) -> str:
    got, stage = trained.run.measurement, trained.stage
    assert got is not None
    rows = {
        "experiment": f"{trained.experiment.id}, {trained.experiment.name}",
        "stage": f"{trained.run.stage}, seed {trained.run.seed}",
        "held-out loss": f"{got.loss:.4f} ± {got.loss_error:.4f} nats per token",
        "parameters": f"{got.parameters:,}, {got.non_embedding:,} without embedding and head",
        "layers x width x heads": f"{stage.num_layers} x {stage.hidden_size} x {stage.num_heads}",
        "trained on": f"{trained.data}, {got.tokens:,} tokens, {stage.length} a sequence",
        "tokenizer": trained.tokenizer.name,
        "program": f"sha256 {hashlib.sha256(trained.program.encode()).hexdigest()}",
    }
    table = "\n".join(f"| {name} | {value} |" for name, value in rows.items())
    return _CARD.format(name=trained.experiment.name, table=table, origins=_origins(trained))


def _origins(trained: Trained) -> str:
    proposal = trained.experiment.proposal
    if proposal is None:
        return "A baseline."
    lines = [
        f"- {part.name}: {part.origin.value}"
        + (f" ({', '.join(part.citations)})" if part.citations else "")
        for part in proposal.components
    ]
    return "\n".join([proposal.motivation, "", *lines])


_CARD = """\
# {name}

Found, verified and measured by asi-arch. The layer in `program.py` is generated code: read it
before you load the model, which executes it.

| | |
| --- | --- |
{table}

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

model = AutoModelForCausalLM.from_pretrained(".", trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(".", trust_remote_code=True)
```

Without a GPU this needs asi-arch installed, whose kernels stand in for fla's. There is no cache:
each new token reads the whole text again.

## Where its parts come from

{origins}
"""
