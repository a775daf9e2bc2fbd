#!/usr/bin/env python3
"""One training step of an SAE in PyTorch on a CPU, on request.

topk is what the Python tools do: encoder product, ReLU, top-k, scatter to a dense [B, F] code, decoder product, squared error,
backward, Adam, unit-norm decoder. h-sae is the released JAX code in PyTorch: dense top level, experts gathered token by token
(16 atoms, subspace 4), L1 and the n x n orthogonality penalty, clip, Adam, unit-norm decoders. Reads one line per step from stdin and answers with its milliseconds, so that another
program can alternate with it. Needs torch.
    pytorch_step.py --d 288 --width 4608 --k 32 --batch 2048 --threads 2
"""
import argparse
import os
import sys
import time

parser = argparse.ArgumentParser()
for name, default in dict(d=288, width=4608, k=32, batch=2048, threads=os.cpu_count()).items():
    parser.add_argument(f"--{name}", type=int, default=default)
parser.add_argument("--arch", choices=["topk", "h-sae"], default="topk")
args = parser.parse_args()

# Worker threads that spin between operations slow PyTorch itself and whatever is measured beside it.
os.environ.update(OMP_WAIT_POLICY="PASSIVE", OMP_NUM_THREADS=str(args.threads), OPENBLAS_NUM_THREADS=str(args.threads))
import torch
from torch.nn.functional import linear

torch.set_num_threads(args.threads)
torch.manual_seed(0)
x = torch.randn(args.batch, args.d)


def unit(rows):
    return rows / rows.norm(dim=-1, keepdim=True)


def topk_step():
    W_dec = unit(torch.randn(args.width, args.d)).requires_grad_()
    W_enc = W_dec.detach().clone().requires_grad_()
    b_enc = torch.zeros(args.width, requires_grad=True)
    b_dec = torch.zeros(args.d, requires_grad=True)
    adam = torch.optim.Adam([W_enc, b_enc, W_dec, b_dec], lr=1e-4)

    def step():
        adam.zero_grad()
        scores = torch.relu(linear(x - b_dec, W_enc, b_enc))
        values, indices = scores.topk(args.k, dim=1, sorted=False)
        code = torch.zeros_like(scores).scatter(1, indices, values)
        loss = (code @ W_dec + b_dec - x).square().sum(1).mean()
        loss.backward()
        adam.step()
        with torch.no_grad():
            W_dec.div_(W_dec.norm(dim=1, keepdim=True))

    return step


def h_sae_step(atoms=16, subspace=4):
    n, d, data, theta = args.width, args.d, unit(x), args.d**-0.5
    E = ((torch.rand(n, d) * 2 - 1) * (6 / d) ** 0.5).requires_grad_()
    D = E.detach().clone().requires_grad_()
    down = unit(torch.randn(n, subspace, d)).requires_grad_()
    up = down.detach().clone().requires_grad_()
    enc = unit(torch.randn(n, atoms, subspace)).requires_grad_()
    dec = enc.detach().clone().requires_grad_()
    parameters = [E, D, down, up, enc, dec]
    adam = torch.optim.Adam(parameters, lr=5e-4)

    def step():
        adam.zero_grad()
        scores = linear(data, E)
        scores = torch.where(scores >= theta, scores, 0.0)
        values, chosen = scores.topk(args.k, dim=1, sorted=False)
        top = torch.zeros_like(scores).scatter(1, chosen, values) @ D
        y = torch.einsum("bksd,bd->bks", down[chosen], data)
        u = torch.einsum("bkas,bks->bka", enc[chosen], y)
        q = torch.where(u >= theta, u, 0.01 * u)
        best, winner = q.max(dim=2)
        best = torch.where(values > 0, best, 0.0)
        c = best.unsqueeze(2) * dec[chosen, winner]
        whole = top + torch.einsum("bks,bksd->bd", c, up[chosen])
        M = unit(D) @ unit(E).T
        ortho = (M - M.diagonal()).norm() / (n * n - n)
        l1 = (scores.abs().sum() + q.abs().sum()) / args.batch
        loss = (whole - data).square().sum(1).mean() + 0.1 * (top - data).square().sum(1).mean() + 1e-3 * l1 + 0.1 * ortho
        loss.backward()
        with torch.no_grad():
            for rows in (D, dec):
                direction = unit(rows)
                rows.grad -= (rows.grad * direction).sum(-1, keepdim=True) * direction
        torch.nn.utils.clip_grad_norm_(parameters, 0.75)
        adam.step()
        with torch.no_grad():
            for rows in (D, dec):
                rows.div_(rows.norm(dim=-1, keepdim=True))

    return step


step = topk_step() if args.arch == "topk" else h_sae_step()
print(torch.__version__, flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    step()
    print(1000 * (time.perf_counter() - start), flush=True)
