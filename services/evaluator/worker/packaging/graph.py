"""A network's operations and weights, as the native library reads them (runtime/src/graph.h, read_operation).

Whatever torch.export can trace to the operations of `_TRANSLATED` can be packaged: nothing here knows a
network's name. Batch normalisation is folded into convolutions, and what follows a convolution (adding,
rectifying) becomes a part of it.
"""

import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from services.evaluator.worker.packaging.faults import NotPackageable

Floats = NDArray[np.float32]


class Kind(IntEnum):
    """As in runtime/src/graph.h."""

    CONVOLUTION = 1
    MAX_POOL = 2
    MEAN = 3
    ADD = 4
    RECTIFY = 5
    RESIZE_NEAREST = 6
    RESIZE_BILINEAR = 7
    CONCATENATE = 8


@dataclass(frozen=True)
class Window:
    """Of a convolution or pool, each (y, x)."""

    kernel: tuple[int, int]
    step: tuple[int, int]
    dilation: tuple[int, int]
    pad: tuple[int, int]


@dataclass(frozen=True)
class Operation:
    """One operation with one output; tensors are named by who makes them."""

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    rectifies: bool = False
    window: Window | None = None
    weight_OIHW: NDArray[np.float64] | None = None
    bias_O: NDArray[np.float64] | None = None
    size: tuple[int, int] | None = None
    """What it resizes to, (height, width)."""


@dataclass(frozen=True)
class Graph:
    """A network whose input is (height, width, channels)."""

    input_HWC: tuple[int, int, int]
    input_name: str
    operations: tuple[Operation, ...]
    outputs: tuple[str, ...]


def trace(network: nn.Module, input_CHW: tuple[int, int, int], *, with_features: bool) -> Graph:
    """The graph of a network in eval mode, of its output and, with features, of what its last layer takes.

    Raises NotPackageable where it has an operation that the library does not know.
    """
    example_NCHW = torch.zeros(1, *input_CHW)
    with torch.no_grad():
        exported = torch.export.export(network, (example_NCHW,), strict=False)
    signature = exported.graph_signature
    constants = {
        name: exported.state_dict[target]
        for name, target in (signature.inputs_to_parameters | signature.inputs_to_buffers).items()
    }
    (input_name,) = signature.user_inputs
    (output_name,) = signature.user_outputs
    translated = _Translation(constants, str(input_name))
    for node in exported.graph.nodes:
        if node.op == "call_function":
            translated.add(node)
    channels, height, width = input_CHW
    outputs = [translated.real(str(output_name))]
    if with_features:
        outputs.append(translated.operations[-1].inputs[0])
        if translated.operations[-1].name != outputs[0]:
            raise NotPackageable("the network's last operation does not make its output")
    return fused(
        Graph((height, width, channels), str(input_name), tuple(translated.operations), tuple(outputs))
    )


def fused(graph: Graph) -> Graph:
    """The same values by fewer operations: what one convolution alone feeds becomes its part."""
    operations = {operation.name: operation for operation in graph.operations}
    alias: dict[str, str] = {}

    def users() -> Counter[str]:
        return Counter([name for its in operations.values() for name in its.inputs] + list(graph.outputs))

    for name in list(operations):
        used = users()
        its = replace(operations[name], inputs=tuple(alias.get(i, i) for i in operations[name].inputs))
        operations[name] = its
        alone = [operations[i] for i in its.inputs if i in operations and used[i] == 1]
        if its.kind == Kind.ADD:
            plain = [
                o for o in alone if o.kind == Kind.CONVOLUTION and len(o.inputs) == 1 and not o.rectifies
            ]
            if plain and len(set(its.inputs)) == 2:
                # The later of two: it runs when the other's output is there.
                order = list(operations)
                host = max(plain, key=lambda o: order.index(o.name))
                (other,) = set(its.inputs) - {host.name}
                if other == graph.input_name or order.index(other) < order.index(host.name):
                    operations[host.name] = replace(
                        host, inputs=(*host.inputs, other), rectifies=its.rectifies
                    )
                    del operations[name]
                    alias[name] = host.name
        elif its.kind == Kind.RECTIFY and alone:
            operations[alone[0].name] = replace(alone[0], rectifies=True)
            del operations[name]
            alias[name] = alone[0].name
    for name, its in operations.items():
        operations[name] = replace(its, inputs=tuple(alias.get(i, i) for i in its.inputs))
    outputs = tuple(alias.get(name, name) for name in graph.outputs)
    return replace(graph, operations=tuple(operations.values()), outputs=outputs)


def encode(graph: Graph) -> tuple[bytes, bytes]:
    """The parts "….graph" and "….weights"."""
    numbers = {graph.input_name: 0}
    data = bytearray(struct.pack("<4I", *graph.input_HWC, len(graph.operations)))
    weights: list[Floats] = []
    at = 0

    def put(values: Floats) -> int:
        nonlocal at
        if not np.isfinite(values).all():
            raise NotPackageable("a weight is not finite, or not within float32")
        weights.append(values.ravel())
        at += values.size
        return at - values.size

    for number, operation in enumerate(graph.operations, 1):
        numbers[operation.name] = number
        inputs = [numbers[name] for name in operation.inputs]
        data += struct.pack(f"<II{len(inputs)}II", operation.kind, len(inputs), *inputs, operation.rectifies)
        window = operation.window
        if operation.weight_OIHW is not None and operation.bias_O is not None:
            data += struct.pack("<I", len(operation.bias_O))
        if window:
            data += struct.pack(
                "<10I", *window.kernel, *window.step, *window.dilation, *window.pad, *window.pad
            )
        if operation.weight_OIHW is not None and operation.bias_O is not None:
            weights_at = put(operation.weight_OIHW.transpose(0, 2, 3, 1).astype(np.float32))
            data += struct.pack("<2Q", weights_at, put(operation.bias_O.astype(np.float32)))
        if operation.size:
            data += struct.pack("<2I", *operation.size)
    data += struct.pack(f"<I{len(graph.outputs)}I", len(graph.outputs), *(numbers[o] for o in graph.outputs))
    return bytes(data), np.concatenate(weights or [np.zeros(0, np.float32)]).astype("<f4").tobytes()


# --- from torch's operations --------------------------------------------------------------------------------


@dataclass
class _Translation:
    """The operations so far; a node may also stand for another node's output."""

    constants: dict[str, Tensor]
    input_name: str
    operations: list[Operation] = field(default_factory=list)
    _same: dict[str, str] = field(default_factory=dict)

    def real(self, name: str) -> str:
        """The name of who makes a node's output."""
        return self._same.get(name, name)

    def add(self, node: fx.Node) -> None:
        target = str(node.target)
        if target not in _TRANSLATED:
            raise NotPackageable(f"the network has an operation {target}, which packages do not know")
        _TRANSLATED[target](self, node)

    def alias(self, node: fx.Node, of: fx.Node) -> None:
        self._same[node.name] = self.real(of.name)

    def append(self, node: fx.Node, kind: Kind, *inputs: fx.Node, **attributes: Any) -> None:  # noqa: ANN401 - Operation's
        names = tuple(self.real(its.name) for its in inputs)
        self.operations.append(Operation(node.name, kind, names, **attributes))

    def constant(self, node: fx.Node | None) -> NDArray[np.float64] | None:
        if node is None:
            return None
        return np.asarray(self.constants[node.name].detach().double().numpy(), np.float64)


def _arguments(node: fx.Node) -> dict[str, Any]:
    """By the operator's own names, defaults included."""
    schema = node.target._schema  # type: ignore[union-attr]  # noqa: SLF001 - an OpOverload's
    given = dict(zip((its.name for its in schema.arguments), node.args, strict=False)) | dict(node.kwargs)
    return {its.name: given.get(its.name, its.default_value) for its in schema.arguments}


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(int(side) for side in node.meta["val"].shape)


def _convolution(translation: _Translation, node: fx.Node) -> None:
    its = _arguments(node)
    if its["groups"] != 1:
        raise NotPackageable("the network has a grouped convolution, which packages do not know")
    weight_OIHW = translation.constant(its["weight"])
    assert weight_OIHW is not None  # noqa: S101 - for the type checker
    bias_O = translation.constant(its["bias"])
    dilation = _pair(its["dilation"])
    kernel = (weight_OIHW.shape[2], weight_OIHW.shape[3])
    pad = its["padding"]
    if isinstance(pad, str):
        if pad == "same" and any(d * (k - 1) % 2 for d, k in zip(dilation, kernel, strict=True)):
            raise NotPackageable("the network has a convolution whose border differs between its sides")
        same = [d * (k - 1) // 2 for d, k in zip(dilation, kernel, strict=True)]
        pad = same if pad == "same" else [0, 0]
    translation.append(
        node,
        Kind.CONVOLUTION,
        its["input"],
        window=Window(kernel, _pair(its["stride"]), dilation, _pair(pad)),
        weight_OIHW=weight_OIHW,
        bias_O=np.zeros(len(weight_OIHW)) if bias_O is None else bias_O,
    )


def _linear(translation: _Translation, node: fx.Node) -> None:
    its = _arguments(node)
    weight_OI, bias_O = translation.constant(its["weight"]), translation.constant(its["bias"])
    assert weight_OI is not None  # noqa: S101 - for the type checker
    translation.append(
        node,
        Kind.CONVOLUTION,
        its["input"],
        window=Window((1, 1), (1, 1), (1, 1), (0, 0)),
        weight_OIHW=weight_OI[:, :, None, None],
        bias_O=np.zeros(len(weight_OI)) if bias_O is None else bias_O,
    )


def _batch_norm(translation: _Translation, node: fx.Node) -> None:
    its = _arguments(node)
    source = translation.operations[-1] if translation.operations else None
    name = translation.real(its["input"].name)
    if (
        source is None
        or source.name != name
        or source.kind != Kind.CONVOLUTION
        or len(its["input"].users) > 1
    ):
        raise NotPackageable("the network has a batch normalisation that does not follow its convolution")
    mean_O, variance_O = (translation.constant(its[key]) for key in ("running_mean", "running_var"))
    scale_O, shift_O = (translation.constant(its[key]) for key in ("weight", "bias"))
    assert mean_O is not None  # noqa: S101 - for the type checker
    assert variance_O is not None  # noqa: S101 - for the type checker
    assert source.weight_OIHW is not None  # noqa: S101 - for the type checker
    assert source.bias_O is not None  # noqa: S101 - for the type checker
    factor_O = (1.0 if scale_O is None else scale_O) / np.sqrt(variance_O + its["eps"])
    translation.operations[-1] = replace(
        source,
        weight_OIHW=source.weight_OIHW * factor_O[:, None, None, None],
        bias_O=(source.bias_O - mean_O) * factor_O + (0.0 if shift_O is None else shift_O),
    )
    translation.alias(node, its["input"])


def _max_pool(translation: _Translation, node: fx.Node) -> None:
    its = _arguments(node)
    if its["ceil_mode"] or _pair(its["dilation"]) != (1, 1):
        raise NotPackageable("the network has a pool with ceil_mode or dilation, which packages do not know")
    kernel = _pair(its["kernel_size"])
    window = Window(kernel, _pair(its["stride"] or kernel), (1, 1), _pair(its["padding"]))
    translation.append(node, Kind.MAX_POOL, _source(node), window=window)


def _mean(translation: _Translation, node: fx.Node) -> None:
    its = _arguments(node)
    whole = [1, 1] if "output_size" in its else None
    if whole and list(its["output_size"]) != whole:
        raise NotPackageable("the network has a pool that is not over all pixels")
    if not whole and sorted(axis % 4 for axis in its["dim"]) != [2, 3]:
        raise NotPackageable("the network has a mean that is not over all pixels")
    translation.append(node, Kind.MEAN, _source(node))


def _add(translation: _Translation, node: fx.Node) -> None:
    its = _arguments(node)
    both = [its["self"], its["other"]]
    plain = all(isinstance(one, fx.Node) and one.name not in translation.constants for one in both)
    if not plain or its["alpha"] != 1 or _shape(both[0]) != _shape(both[1]):
        raise NotPackageable("the network has a sum of other than two tensors of one shape")
    translation.append(node, Kind.ADD, *both)


def _rectify(translation: _Translation, node: fx.Node) -> None:
    translation.append(node, Kind.RECTIFY, _source(node))


def _resize(kind: Kind) -> Callable[[_Translation, fx.Node], None]:
    def translate(translation: _Translation, node: fx.Node) -> None:
        its = _arguments(node)
        if its.get("align_corners"):
            raise NotPackageable("the network resizes with aligned corners, which packages do not know")
        factors = its.get("scale_factors") or [its.get("scales_h"), its.get("scales_w")]
        source, size = _shape(_source(node))[2:], _shape(node)[2:]
        for factor, before, after in zip(factors, source, size, strict=True):
            # torch then scales by the factor, not by the sizes' quotient: here they are the same or refused.
            if factor is not None and before * factor != after:
                raise NotPackageable("the network resizes by a factor that its sizes do not have")
        translation.append(node, kind, _source(node), size=size)

    return translate


def _concatenate(translation: _Translation, node: fx.Node) -> None:
    its = _arguments(node)
    if its["dim"] % 4 != 1:
        raise NotPackageable("the network joins tensors along another axis than channels")
    translation.append(node, Kind.CONCATENATE, *its["tensors"])


def _flat(translation: _Translation, node: fx.Node) -> None:
    """(N, C, 1, 1) → (N, C): the same floats in the same order."""
    source = _source(node)
    if len(_shape(source)) == 4 and _shape(source)[2:] != (1, 1):
        raise NotPackageable("the network flattens more than one pixel, which packages do not know")
    translation.alias(node, source)


def _nothing(translation: _Translation, node: fx.Node) -> None:
    """Dropout and the like, when predicting."""
    translation.alias(node, _source(node))


def _source(node: fx.Node) -> fx.Node:
    """The one tensor that an operation takes."""
    return node.all_input_nodes[0]


_TRANSLATED: dict[str, Callable[[_Translation, fx.Node], None]] = {
    "aten.conv2d.default": _convolution,
    "aten.conv2d.padding": _convolution,
    "aten.linear.default": _linear,
    "aten.batch_norm.default": _batch_norm,
    "aten._native_batch_norm_legit_no_training.default": _batch_norm,
    "aten.max_pool2d.default": _max_pool,
    "aten.adaptive_avg_pool2d.default": _mean,
    "aten.mean.dim": _mean,
    "aten.add.Tensor": _add,
    "aten.add_.Tensor": _add,
    "aten.relu.default": _rectify,
    "aten.relu_.default": _rectify,
    "aten.upsample_nearest2d.vec": _resize(Kind.RESIZE_NEAREST),
    "aten.upsample_nearest2d.default": _resize(Kind.RESIZE_NEAREST),
    "aten.upsample_bilinear2d.vec": _resize(Kind.RESIZE_BILINEAR),
    "aten.upsample_bilinear2d.default": _resize(Kind.RESIZE_BILINEAR),
    "aten.cat.default": _concatenate,
    "aten.flatten.using_ints": _flat,
    "aten.view.default": _flat,
    "aten.reshape.default": _flat,
    "aten.dropout.default": _nothing,
    "aten.contiguous.default": _nothing,
}
