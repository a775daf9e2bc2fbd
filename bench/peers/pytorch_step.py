#!/usr/bin/env python3
"""One training step of a dense TopK SAE in PyTorch on a CPU, on request.

The step is what the Python tools do: encoder product, ReLU, top-k, scatter to a dense [B, F] code, decoder product, squared
error, backward, Adam, unit-norm decoder. Reads one line per step from stdin and answers with its milliseconds, so that another
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
args = parser.parse_args()

# Worker threads that spin between operations slow PyTorch itself and whatever is measured beside it.
os.environ.update(OMP_WAIT_POLICY="PASSIVE", OMP_NUM_THREADS=str(args.threads), OPENBLAS_NUM_THREADS=str(args.threads))
import torch
from torch.nn.functional import linear

torch.set_num_threads(args.threads)
torch.manual_seed(0)
x = torch.randn(args.batch, args.d)
W_dec = torch.randn(args.width, args.d)
W_dec = (W_dec / W_dec.norm(dim=1, keepdim=True)).requires_grad_()
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


print(torch.__version__, flush=True)
for _ in sys.stdin:
    start = time.perf_counter()
    step()
    print(1000 * (time.perf_counter() - start), flush=True)
