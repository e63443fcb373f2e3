from pathlib import Path

import pytest

from asi_arch.configure import changed_config, load_config, parse_config, preset_names
from asi_arch.errors import UserError


def test_every_preset_loads() -> None:
    for name in preset_names():
        assert load_config(name).name == name


def test_later_sources_win(tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text("seed = 3\n[explore]\ntokens = 4096\nlength = 128\n")
    config = load_config("demo", file, ["explore.tokens=2e6", "search.sampler=random"])
    assert (config.seed, config.explore.length, config.explore.tokens) == (3, 128, 2_000_000)
    assert config.search.sampler == "random"
    assert config.explore.parameters == load_config("demo").explore.parameters


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("explore.tokns=5", ["explore.tokns", "did you mean 'tokens'", "batch_size"]),
        ("nonsense=1", ["nonsense", "explore"]),
        ("explore.tokens=many", ["explore.tokens", "many"]),
        ("explore.tokens=10", ["10", "512"]),
        ("budget.experiments=-1", ["budget.experiments", "-1"]),
        ("budget.minutes=-1", ["budget.minutes", "-1"]),
        ("search.sampler=best", ["search.sampler", "best", "paper", "random"]),
        ("explore.tokens", ["explore.tokens", "key=value"]),
        ("roles.poet.model=x", ["poet", "researcher"]),
        ("roles.engineer.modell=x", ["roles.engineer.modell", "did you mean 'model'"]),
        ("explore.seeds=[7]", ["explore.baseline_seeds"]),
        ("explore.baseline_seeds=[0]", ["noise floor"]),
        ("probe.writes=3", ["writes", "keys"]),
        ("confirm.seeds=[1, 1]", ["confirm.seeds", "twice"]),
        ("confirm.seeds=[-1]", ["confirm.seeds", "-1"]),
        ("explore.baseline_seeds=[0, 0]", ["explore.baseline_seeds", "twice"]),
        ("seed=99999999999999999999", ["seed", "99999999999999999999"]),
        ('baselines=["deltanet", "gated_deltanet", "deltanet"]', ["baselines", "twice"]),
        ("budget.minutes=inf", ["budget.minutes", "finite"]),
        ("explore.learning_rate=inf", ["explore.learning_rate", "finite"]),
        ("explore.num_heads=3", ["hidden_size = 64", "num_heads = 3"]),
        ("probe.num_heads=5", ["hidden_size = 32", "num_heads = 5"]),
        ("data.source=files", ["data.files", "folder"]),
        ("verify_limits.seconds=0", ["verify_limits.seconds"]),
        ("train_limits.processes=-1", ["train_limits.processes"]),
        ("train_limits.seconds=nan", ["train_limits.seconds"]),
        ('search.roots=["mamba"]', ["mamba", "deltanet"]),
    ],
)
def test_a_wrong_setting_is_explained(setting: str, words: list[str]) -> None:
    with pytest.raises(UserError) as caught:
        load_config("demo", settings=[setting])
    for word in words:
        assert word in str(caught.value)


def test_an_unknown_preset_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"'dmo'.*demo"):
        load_config("dmo")


@pytest.mark.parametrize("content", [b"", b"seed = = 3", b"\xff\xfe"])
def test_a_bad_file_is_explained(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(UserError, match=r"bad.toml"):
        load_config("demo", file)


def test_a_missing_file_is_explained(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no.toml"):
        load_config("demo", tmp_path / "no.toml")


def test_a_money_budget_needs_prices() -> None:
    llm = ["team=llm", "roles.engineer.backend=openai", "roles.engineer.model=m"]
    with pytest.raises(UserError, match=r"budget.money = 5.* --input-price"):
        load_config("demo", settings=[*llm, "budget.money=5"])
    priced = ["roles.engineer.input_price=1", "roles.engineer.output_price=2"]
    assert load_config("demo", settings=[*llm, *priced, "budget.money=5"]).budget.money == 5


def test_only_budget_jobs_and_sandbox_may_change_later() -> None:
    config = load_config("demo").settled()
    more = changed_config(config, ["budget.experiments=99", "jobs.train=7", "sandbox=require"])
    assert (more.budget.experiments, more.jobs.train, more.sandbox) == (99, 7, "require")
    assert more.in_flight == config.in_flight
    with pytest.raises(UserError, match=r"budget.experiments.*, sandbox$"):
        changed_config(config, ["explore.tokens=2e6"])


def test_a_folder_of_text_is_found_again_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settled = load_config(settings=["data.source=files", "data.files=text"]).settled()
    assert settled.data.files == str(tmp_path / "text")
    assert load_config().settled().data.files == ""


def test_final_is_like_confirm_but_for_its_seeds_and_what_is_given() -> None:
    config = load_config(settings=["confirm.parameters=300000", "final.tokens=7e6"])
    assert (config.final.parameters, config.final.tokens) == (300_000, 7_000_000)
    assert config.final.seeds == (1101, 1102, 1103)
    assert load_config(settings=["final.seeds=[5]"]).final.seeds == (5,)
    with pytest.raises(UserError, match=r"final.seeds = \[101\] must be fresh"):
        load_config(settings=["final.seeds=[101]"])


def test_a_campaign_recorded_before_there_was_a_final_has_one() -> None:
    values = load_config().settled().model_dump(mode="json")
    del values["final"], values["confirm"]["losers"]
    assert parse_config(values) == load_config().settled()
