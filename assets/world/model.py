"""A small Llama: RMSNorm, rotary positions ("rotate half", as Hugging Face writes it), SwiGLU, tied embedding.

Modules are called as in Hugging Face's LlamaForCausalLM, so that the exported graph reads like one of its exports.
"""

import torch
import torch.nn.functional as F
from torch import nn

EPSILON, THETA = 1e-5, 10_000.0


class RMSNorm(nn.Module):
    """Written as the quotient that ONNX Runtime recognises and computes in one kernel."""

    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))

    def forward(self, x):
        return x / torch.sqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * self.weight


class Attention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(d, d, bias=False) for _ in range(4))

    def forward(self, x, rotary, mask):
        batch, length, d = x.shape
        q, k, v = (
            project(x).view(batch, length, self.heads, d // self.heads).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, *rotary), rotate(k, *rotary)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, length, d))


class MLP(nn.Module):
    def __init__(self, d, hidden):
        super().__init__()
        self.gate_proj, self.up_proj = nn.Linear(d, hidden, bias=False), nn.Linear(d, hidden, bias=False)
        self.down_proj = nn.Linear(hidden, d, bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, d, heads, hidden):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(d), RMSNorm(d)
        self.self_attn, self.mlp = Attention(d, heads), MLP(d, hidden)

    def forward(self, x, rotary, mask):
        x = x + self.self_attn(self.input_layernorm(x), rotary, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Llama(nn.Module):
    def __init__(self, vocab, d, layers, heads, hidden):
        super().__init__()
        self.embed_tokens = nn.Embedding(vocab, d)
        self.layers = nn.ModuleList(Block(d, heads, hidden) for _ in range(layers))
        self.norm = RMSNorm(d)
        self.register_buffer("frequencies", THETA ** -(torch.arange(0, d // heads, 2) / (d // heads)), persistent=False)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:  # what adds to the residual stream starts smaller the more blocks there are
                adds = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.normal_(weight, std=0.02 / (2 * layers) ** 0.5 if adds else 0.02)

    def residuals(self, ids, mask=None):
        """The residual stream [batch, length, d]: what enters the first block, then what leaves each one."""
        angles = torch.outer(torch.arange(ids.shape[1], device=ids.device).float(), self.frequencies).repeat(1, 2)
        rotary = angles.cos(), angles.sin()
        stream = [self.embed_tokens(ids)]
        for block in self.layers:
            stream.append(block(stream[-1], rotary, mask))
        return stream

    def forward(self, ids, mask=None):
        """Tokens [batch, length] -> logits [batch, length, vocab]. Without a mask attention is causal."""
        return F.linear(self.norm(self.residuals(ids, mask)[-1]), self.embed_tokens.weight)


class Exported(nn.Module):
    """With the inputs of the usual exports: attention_mask is 1 for tokens and 0 for padding."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, input_ids, attention_mask):
        length = input_ids.shape[1]
        allowed = torch.ones(length, length, dtype=torch.bool).tril() & attention_mask[:, None, None, :].bool()
        # Large instead of infinite: a row of padding that may attend to nothing stays finite.
        return self.model(input_ids, (~allowed).float() * -1e9)


def rotate(x, cos, sin):
    a, b = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-b, a), dim=-1) * sin
