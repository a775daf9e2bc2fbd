"""Exports the trained model to ONNX with names that say which module computes what, as the exports of Hugging Face have."""

import ast

import onnx
import torch
from model import Exported
from safetensors.torch import save_file


def export(model, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    # Two tensors: the exporter would take one that is given twice for one input.
    ids, mask = (torch.ones(2, 7, dtype=torch.long) for _ in range(2))
    batch, length = torch.export.Dim("batch_size"), torch.export.Dim("sequence_length")
    torch.onnx.export(
        Exported(model).eval(),
        (ids, mask),
        path,
        dynamo=True,
        external_data=False,
        opset_version=18,
        input_names=["input_ids", "attention_mask"],
        output_names=["logits"],
        dynamic_shapes={name: {0: batch, 1: length} for name in ("input_ids", "attention_mask")},
        verbose=False,
    )
    proto = onnx.load(path)
    tidy(proto)
    onnx.checker.check_model(proto)
    onnx.save(proto, path)


def write_reference(model, windows, path):
    """What PyTorch computes for two short texts, the second one padded: the tests compare ONNX Runtime with it."""
    ids, mask = windows[:2, :8].clone(), torch.ones(2, 8, dtype=torch.long)
    ids[1, 5:], mask[1, 5:] = 0, 0
    with torch.no_grad():
        stream = torch.stack([torch.cat([layer[0], layer[1, :5]]) for layer in model.residuals(ids)])
        logits = model(ids)[[0, 1], [7, 4]]
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({"ids": ids.int(), "mask": mask.int(), "residuals": stream, "logits": logits}, path)


def tidy(proto):
    """Names every tensor by the module that it is computed in, and drops the exporter's notes on source files."""
    graph = proto.graph
    renamed, taken = {}, {}
    outputs = {output.name for output in graph.output}
    for node in graph.node:
        notes = {note.key: note.value for note in node.metadata_props}
        scopes = ast.literal_eval(notes.get("pkg.torch.onnx.name_scopes", "['']"))
        module = "/".join(["", *(scope for scope in scopes[-2:-1] if scope.startswith("model"))])
        for output in node.output:
            if output not in outputs:
                wish = f"{module}/{node.op_type}"
                taken[wish] = taken.get(wish, -1) + 1
                renamed[output] = f"{wish}_{taken[wish]}" if taken[wish] else wish
        node.name = renamed.get(node.output[0], node.output[0])
        del node.metadata_props[:]
        node.doc_string = ""
    for node in graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    del graph.value_info[:], graph.metadata_props[:], proto.metadata_props[:]
    for value in [*graph.input, *graph.output, *graph.initializer]:
        value.doc_string = ""
