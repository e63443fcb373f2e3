"""A small valid "model" without a model: it plays every role card, the same for the same prompt."""

import hashlib
import json
import re
from string import Template

Messages = list[dict[str, str]]

KINDS = ("Decay", "Gated", "Delta")
_MAPS = ("F.elu({}) + 1", "F.softmax({}, dim=-1)", "F.relu({}) + 0.01", "F.softplus({})")
_ENTRIES = {"Decay": "2307.08621", "Gated": "2405.21060", "Delta": "2406.06484"}
_PARTS = {
    "Decay": ("fixed decay per head", "decay", "S_t = gamma_h S_{t-1} + k_t v_t^T"),
    "Gated": ("data-dependent decay", "decay", "S_t = exp(g_t) S_{t-1} + k_t v_t^T"),
    "Delta": ("delta update", "memory", "S_t = S_{t-1} + beta_t k_t (v_t - S_{t-1}^T k_t)^T"),
}
_IMPORTS = {
    "Decay": "",
    "Gated": "from fla.ops.simple_gla import chunk_simple_gla\n",
    "Delta": "from fla.ops.delta_rule import chunk_delta_rule\n",
}


def answer(messages: Messages) -> str:
    """Return the JSON that the last prompt asks for."""
    system = messages[0]["content"]
    prompt = messages[-1]["content"] if len(messages) == 2 else messages[1]["content"]
    for words, play in _PLAYS:
        if words in system:
            return json.dumps(play(prompt))
    found = re.search(r"\{.*\}", prompt)
    return found.group() if found else "{}"


def _propose(prompt: str) -> dict[str, object]:
    digest = _digest(prompt)
    kind = KINDS[int(digest[0], 16) % len(KINDS)]
    name, category, rule = _PARTS[kind]
    cited = [id for id in re.findall(r"^\[(\d{4}\.\d{5})\]", prompt, re.M) if id == _ENTRIES[kind]]
    parent = re.findall(r"^experiment (\d+):", prompt, re.M)[-1:]
    parts = [
        _part(name, category, rule, "cognition" if cited else "originality", cited),
        _part("output gate", "gating", "o * silu(x W_g)", "originality", []),
        _part(
            "the parent's width",
            "other",
            "as the parent: head size hidden_size / num_heads",
            "analysis" if parent else "originality",
            parent,
        ),
    ]
    motivation = f"A {kind.lower()} memory in place of the parent's; the rest stays simple."
    return {"name": f"{kind}Mixer{digest[:6]}", "motivation": motivation, "components": parts}


def _part(
    name: str, category: str, description: str, origin: str, citations: list[str]
) -> dict[str, object]:
    return {
        "name": name,
        "category": category,
        "description": description,
        "origin": origin,
        "citations": citations,
    }


def _analyse(prompt: str) -> dict[str, object]:
    fitness = re.findall(r"fitness (\S+)\)", prompt)[-1:] or ["none"]
    return {
        "summary": f"Measured fitness {fitness[0]}; with one run the cause stays unclear.",
        "keep": ["the output gate"],
        "drop": [],
    }


def _distill(prompt: str) -> dict[str, object]:
    shown = re.findall(r"^experiment (\d+):", prompt, re.M)
    return {"lessons": [{"text": "An output gate does no harm.", "evidence": shown[-2:]}]}


def _judge(prompt: str) -> dict[str, object]:
    return {"reason": "A small change of a known layer.", "score": int(_digest(prompt)[0], 16) // 2}


def _trace(prompt: str) -> dict[str, object]:
    literature, _, proposal = prompt.partition("# The proposal")
    entries = re.findall(r"^\[(\d{4}\.\d{5})\]", literature, re.M)[:1]
    parts = []
    for name in re.findall(r"^- (.*?) \(", proposal, re.M):
        known = entries if any(name == part[0] for part in _PARTS.values()) else []
        origin = "cognition" if known else "originality"
        parts.append({"name": name, "origin": origin, "citations": known, "reason": "By its rule."})
    return {"components": parts}


def _compare(prompt: str) -> dict[str, object]:
    return {"reason": "The parts are put together in another way.", "same_as": ""}


def _read(prompt: str) -> dict[str, object]:
    """Answer as the Librarian: the document's first words are its title and its problem."""
    document = prompt.partition("text\n")[2].partition("\n```")[0]
    words = " ".join(document.split())[:300]
    parts = dict.fromkeys(("problem", "mechanism"), words or "Nothing is said.")
    rest = dict.fromkeys(("authors", "measured", "when_it_helps", "pitfalls"), "")
    return {"title": words[:60] or "Untitled", "year": 0, "tags": ["note"], **parts, **rest}


def _code(prompt: str) -> dict[str, object]:
    return {"code": _write(prompt)}


def _write(prompt: str) -> str:
    """Write or repair a program; a repair always differs from what failed."""
    name = re.findall(r"the class `(\w+)`", prompt)[-1]
    digest = _digest(name)
    kind = next((kind for kind in KINDS if name.startswith(kind)), "Decay")
    map_index = int(digest[1], 16)
    code = write_program(kind, name, map_index)
    return write_program("Decay", name, map_index + 1) if code.strip() in prompt else code


def write_program(kind: str, name: str, map_index: int) -> str:
    """Return a valid candidate: a kind of memory and one of the feature maps, by index."""
    feature = _MAPS[map_index % len(_MAPS)]
    rest = _PROGRAMS[kind].substitute(q=feature.format("q"), k=feature.format("k"))
    layer = Template(_LAYER).substitute(name=name, rule=_PARTS[kind][2], imports=_IMPORTS[kind])
    return layer + rest


_PLAYS = (
    ("You are the Researcher", _propose),
    ("You are the Engineer", _code),
    ("You are the Librarian", _read),
    ("and you distil", _distill),
    ("and you judge", _judge),
    ("and you trace", _trace),
    ("and you compare", _compare),
    ("You are the Analyst", _analyse),
)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


_LAYER = '''"""A gated linear-attention layer with the memory $rule."""

import torch
import torch.nn.functional as F
from einops import rearrange
${imports}from torch import nn


class $name(nn.Module):
    """Projections, one matrix memory per head, a gated and normalised output."""

    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(hidden_size, 3 * hidden_size, bias=False)
        self.gate = nn.Linear(hidden_size, hidden_size, bias=False)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)
        self.scale = nn.Parameter(torch.ones(hidden_size))
        self.memory = Memory(hidden_size, num_heads)

    def forward(
        self,
        hidden_states,
        attention_mask=None,
        past_key_values=None,
        use_cache=False,
        output_attentions=False,
        **kwargs,
    ):
        q, k, v = (
            rearrange(x, "b t (h d) -> b t h d", h=self.num_heads)
            for x in self.qkv(hidden_states).chunk(3, dim=-1)
        )
        o = self.memory(hidden_states, q, k, v)
        o = o * torch.rsqrt(o.pow(2).mean(-1, keepdim=True) + 1e-5)
        o = rearrange(o, "b t h d -> b t (h d)") * self.scale
        return self.out(o * F.silu(self.gate(hidden_states))), None, past_key_values


'''

_PROGRAMS = {
    "Decay": Template('''class Memory(nn.Module):
    """Fixed decay per head, in chunks: exact inside a chunk, one state between chunks."""

    def __init__(self, hidden_size, num_heads, chunk=32):
        super().__init__()
        self.chunk = chunk
        decay = torch.log1p(-torch.exp2(-2.0 - torch.arange(num_heads)))
        self.register_buffer("log_decay", decay, persistent=False)

    def forward(self, tokens, q, k, v):
        q, k = $q, $k
        length, chunk = q.shape[1], self.chunk
        pad = (0, 0, 0, 0, 0, -length % chunk)
        q, k, v = (
            rearrange(F.pad(y, pad), "b (n c) h d -> n b h c d", c=chunk) for y in (q, k, v)
        )
        place = torch.arange(chunk, device=q.device, dtype=q.dtype)
        log_decay = self.log_decay.to(q)[:, None]
        distance = place[:, None] - place[None, :]
        inside = torch.exp(log_decay[..., None] * distance.clamp(min=0)).tril()
        since_start = torch.exp(log_decay * (place + 1))[..., None]
        until_end = torch.exp(log_decay * (chunk - 1 - place))[..., None]
        whole = torch.exp(log_decay * chunk)[..., None]
        state = torch.zeros_like(k[0].transpose(-1, -2) @ v[0])
        outputs = []
        for q_n, k_n, v_n in zip(q, k, v):
            local = (q_n @ k_n.transpose(-1, -2) * inside) @ v_n
            outputs.append(local + (q_n * since_start) @ state)
            state = whole * state + (k_n * until_end).transpose(-1, -2) @ v_n
        return rearrange(torch.stack(outputs), "n b h c d -> b (n c) h d")[:, :length]
'''),
    "Gated": Template('''class Memory(nn.Module):
    """A decay per head that depends on the token."""

    def __init__(self, hidden_size, num_heads):
        super().__init__()
        self.decay = nn.Linear(hidden_size, num_heads)
        nn.init.constant_(self.decay.bias, 4.0)

    def forward(self, tokens, q, k, v):
        q, k = $q, $k
        return chunk_simple_gla(q, k, v, g=F.logsigmoid(self.decay(tokens)))[0]
'''),
    "Delta": Template('''class Memory(nn.Module):
    """The delta rule: what the memory holds for a key is corrected, not added to."""

    def __init__(self, hidden_size, num_heads):
        super().__init__()
        self.beta = nn.Linear(hidden_size, num_heads)

    def forward(self, tokens, q, k, v):
        q, k = $q, $k
        q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        return chunk_delta_rule(q, k, v, self.beta(tokens).sigmoid())[0]
'''),
}
