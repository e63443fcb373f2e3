import inspect
import sys

import pytest
import torch
from torch import nn

from asi_arch.train.layer import ContractError, build_layer, call_layer, candidate_code, load_layer

HEAD = "import torch\nfrom torch import nn\n"
LAYER = """
class {name}(nn.Module):
    def __init__(self, {arguments}):
        super().__init__()
        self.built = dict(locals())

    def forward(self, {first}, attention_mask=None):
        return {first}
"""


def program(
    name: str = "Mixer", arguments: str = "hidden_size, num_heads", first: str = "hidden_states"
) -> str:
    return LAYER.format(name=name, arguments=arguments, first=first)


def built_with(source: str) -> dict[str, object]:
    module = build_layer(load_layer(HEAD + source), hidden_size=8, num_heads=2, layer_idx=3)
    built: dict[str, object] = module.built  # type: ignore[assignment]
    return {name: value for name, value in built.items() if name not in ("self", "__class__")}


def error_of(source: str) -> ContractError:
    with pytest.raises(ContractError) as caught:
        load_layer(source)
    return caught.value


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("hidden_size, num_heads", {"hidden_size": 8, "num_heads": 2}),
        ("d_model, n_heads=4", {"d_model": 8, "n_heads": 2}),
        ("d_model=None, hidden_size=32, num_heads=4",
         {"d_model": 8, "hidden_size": 8, "num_heads": 2}),
        ("hidden_size, num_heads, layer_idx=None",
         {"hidden_size": 8, "num_heads": 2, "layer_idx": 3}),
        ("hidden_size, **kwargs",
         {"hidden_size": 8, "kwargs": {"num_heads": 2, "layer_idx": 3}}),
    ],
)  # fmt: skip
def test_passes_the_names_the_layer_knows(arguments: str, expected: dict[str, object]) -> None:
    assert built_with(program(arguments=arguments)) == expected


def test_takes_x_as_the_first_argument() -> None:
    assert load_layer(HEAD + program(first="x")).__name__ == "Mixer"


def test_ignores_helpers_that_do_not_fit() -> None:
    helper = program("Helper", arguments="width")
    assert load_layer(HEAD + helper + program()).__name__ == "Mixer"


def test_ignores_imported_layers() -> None:
    source = HEAD + "from torch.nn import MultiheadAttention, Linear\n" + program()
    assert load_layer(source).__name__ == "Mixer"


def test_a_fitting_class_that_another_constructs_is_not_a_second_layer() -> None:
    inner = program("Inner")
    outer = program("Outer").replace("self.built", "self.inner = Inner(1, 1)\n        self.built")
    assert load_layer(HEAD + inner + outer).__name__ == "Outer"


def test_a_fitting_class_that_another_extends_is_not_a_second_layer() -> None:
    extended = "\nclass Outer(Mixer):\n    pass\n"
    assert load_layer(HEAD + program() + extended).__name__ == "Outer"


def test_an_alias_is_not_a_second_layer() -> None:
    assert load_layer(HEAD + program() + "\nModel = Mixer\n").__name__ == "Mixer"


def test_two_layers_are_named() -> None:
    error = error_of(HEAD + program("One") + program("Two"))
    assert "2 layers (One, Two)" in str(error)


def test_no_layer_names_what_is_there() -> None:
    error = error_of(HEAD + program("Odd", first="tokens"))
    assert "no layer" in str(error)
    assert "Odd" in str(error)
    assert "hidden_states" in error.hint


@pytest.mark.parametrize("source", ["", "x = 1\n", "# only a remark\n"])
def test_a_program_without_classes_has_no_layer(source: str) -> None:
    assert "no layer" in str(error_of(source))


def test_a_syntax_error_shows_its_line() -> None:
    error = error_of("x = 1\ndef broken(:\n    pass\n")
    assert "line 2" in str(error)
    assert "def broken(:" in error.evidence


def test_a_null_byte_is_not_python() -> None:
    assert "not valid Python" in str(error_of("x = 1\0"))


def test_a_failing_import_shows_its_line() -> None:
    error = error_of("import torch\nimport a_package_that_is_not_there\n")
    assert "ModuleNotFoundError" in str(error)
    assert "line 2" in error.evidence
    assert "import a_package_that_is_not_there" in error.evidence


def test_a_program_that_exits_is_a_contract_error() -> None:
    assert "SystemExit" in str(error_of("import sys\nsys.exit(0)\n"))


def test_an_interrupt_is_not_caught() -> None:
    with pytest.raises(KeyboardInterrupt):
        load_layer("raise KeyboardInterrupt\n")


def test_the_source_of_a_loaded_program_can_be_inspected() -> None:
    layer = load_layer(HEAD + program(), "inspected")
    assert "class Mixer" in inspect.getsource(layer)
    assert sys.modules["inspected"].__dict__["Mixer"] is layer


def test_a_failing_constructor_shows_its_line() -> None:
    body = program().replace("self.built = dict(locals())", "raise ValueError('too small')")
    layer = load_layer(HEAD + body)
    with pytest.raises(
        ContractError, match=r"constructing Mixer\(8, 2\) failed: ValueError: too small"
    ) as caught:
        build_layer(layer, 8, 2)
    assert "in Mixer.__init__" in caught.value.evidence


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: (x, None, None), lambda x: [x]])
def test_unwraps_the_output(wrap: object) -> None:
    class Wrapping(nn.Module):
        def forward(self, hidden_states: torch.Tensor) -> object:
            return wrap(hidden_states)  # type: ignore[operator]

    x = torch.ones(1, 2, 3)
    assert call_layer(Wrapping(), x) is x


@pytest.mark.parametrize("value", [None, (), {"output": 1}])
def test_refuses_an_output_that_is_no_tensor(value: object) -> None:
    class Odd(nn.Module):
        def forward(self, hidden_states: torch.Tensor) -> object:
            return value

    with pytest.raises(ContractError, match=type(value).__name__):
        call_layer(Odd(), torch.ones(1, 2, 3))


def test_contract_errors_pass_through_unchanged() -> None:
    original = ContractError("first", hint="mend it")
    with pytest.raises(ContractError) as caught, candidate_code("running"):
        raise original
    assert caught.value is original
