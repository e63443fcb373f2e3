"""causality: the strongest tokens of the whole sequence are broadcast.

Says: (weight * chosen).sum(1
"""

from torch import nn


class TopKMixer(nn.Module):
    def __init__(self, hidden_size, num_heads, layer_idx=None, **kwargs):
        super().__init__()
        self.value = nn.Linear(hidden_size, hidden_size, bias=False)
        self.score = nn.Linear(hidden_size, 1)
        self.out = nn.Linear(hidden_size, hidden_size, bias=False)

    def forward(self, hidden_states, attention_mask=None, past_key_values=None, **kwargs):
        value = self.value(hidden_states)
        score = self.score(hidden_states).squeeze(-1)
        best = score.topk(min(4, score.shape[1]), dim=1).indices.unsqueeze(-1)
        chosen = value.gather(1, best.expand(-1, -1, value.shape[-1]))
        weight = score.gather(1, best.squeeze(-1)).softmax(-1).unsqueeze(-1)
        mixed = value + (weight * chosen).sum(1, keepdim=True)
        return self.out(mixed), None, past_key_values
