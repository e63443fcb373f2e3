"""causality: experts choose their tokens over the whole sequence.

Says: top-k
"""

from torch import nn


class ExpertChoice(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.router = nn.Linear(hidden_size, 1)
        self.expert = nn.Linear(hidden_size, hidden_size)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        score = self.router(hidden_states).sigmoid().squeeze(-1)
        capacity = max(score.shape[1] // 2, 1)
        threshold = score.topk(capacity, dim=1).values[:, -1:]
        chosen = (score >= threshold).to(value) * score
        mixed = value + chosen.unsqueeze(-1) * self.expert(hidden_states)
        return self.out(mixed), None, past_key_values
