"""Writes a network's operations and weights as the library reads them (runtime/src/graph.cpp).

Every network that torch.export traces to the operations of `_TRANSLATORS` can be packaged: nothing here knows
a network's name. Batch normalisation is folded into convolutions; a sum or a ReLU after a convolution becomes
a part of it.
"""

import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from services.evaluator.worker.packaging.faults import NotPackageable

Floats = NDArray[np.float32]


class OperationKind(IntEnum):
    """As `OperationKind` in runtime/src/graph.h."""

    CONVOLUTION = 1
    MAX_POOL = 2
    MEAN = 3
    ADD = 4
    RELU = 5
    RESIZE_NEAREST = 6
    RESIZE_BILINEAR = 7
    CONCATENATE = 8


@dataclass(frozen=True)
class Kernel:
    """The kernel of a convolution or pool; each pair is (y, x)."""

    size: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class GraphOperation:
    """One operation with one output; a tensor has the name of the operation that computes it."""

    name: str
    kind: OperationKind
    inputs: tuple[str, ...]
    has_relu: bool = False
    """Whether negative values of the output become 0."""
    kernel: Kernel | None = None
    weight_OIHW: NDArray[np.float64] | None = None
    bias_O: NDArray[np.float64] | None = None
    size: tuple[int, int] | None = None
    """Of the output of a resizing, (height, width)."""


@dataclass(frozen=True)
class Graph:
    """A network whose input is (height, width, channels)."""

    input_HWC: tuple[int, int, int]
    input_name: str
    operations: tuple[GraphOperation, ...]
    outputs: tuple[str, ...]


def trace(network: nn.Module, input_CHW: tuple[int, int, int], *, with_features: bool) -> Graph:
    """The graph of a network in eval mode: of its output and, with features, of its last layer's input.

    Raises NotPackageable where the network has an operation that the library does not know.
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
    translation = _Translation(constants, str(input_name))
    for node in exported.graph.nodes:
        if node.op == "call_function":
            translation.add(node)
    channels, height, width = input_CHW
    outputs = [translation.producer(str(output_name))]
    if with_features:
        outputs.append(translation.operations[-1].inputs[0])
        if translation.operations[-1].name != outputs[0]:
            raise NotPackageable("the network's last operation does not make its output")
    return fuse(
        Graph((height, width, channels), str(input_name), tuple(translation.operations), tuple(outputs))
    )


def fuse(graph: Graph) -> Graph:
    """The same values by fewer operations: a sum or a ReLU becomes a part of the convolution before it."""
    operations = {operation.name: operation for operation in graph.operations}
    replacements: dict[str, str] = {}

    def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(replacements.get(name, name) for name in names)

    for name in list(operations):
        uses = Counter(name for operation in operations.values() for name in operation.inputs)
        uses.update(graph.outputs)
        operation = replace(operations[name], inputs=renamed(operations[name].inputs))
        operations[name] = operation
        # Only what nothing else reads may change.
        sources = [operations[i] for i in operation.inputs if i in operations and uses[i] == 1]
        if operation.kind == OperationKind.ADD:
            host = _host_of_sum(graph, operations, operation, sources)
            if host:
                (residual,) = set(operation.inputs) - {host.name}
                operations[host.name] = replace(
                    host, inputs=(*host.inputs, residual), has_relu=operation.has_relu
                )
                del operations[name]
                replacements[name] = host.name
        elif operation.kind == OperationKind.RELU and sources:
            operations[sources[0].name] = replace(sources[0], has_relu=True)
            del operations[name]
            replacements[name] = sources[0].name
    return replace(
        graph,
        operations=tuple(
            replace(operation, inputs=renamed(operation.inputs)) for operation in operations.values()
        ),
        outputs=renamed(graph.outputs),
    )


def _host_of_sum(
    graph: Graph,
    operations: Mapping[str, GraphOperation],
    addition: GraphOperation,
    sources: Sequence[GraphOperation],
) -> GraphOperation | None:
    """The convolution that can add the other term of a sum to its own output, if there is one."""
    order = list(operations)
    convolutions = [
        source
        for source in sources
        if source.kind == OperationKind.CONVOLUTION and len(source.inputs) == 1 and not source.has_relu
    ]
    if not convolutions or len(set(addition.inputs)) != 2:
        return None
    # The later of two: the other's output must exist when it runs.
    host = max(convolutions, key=lambda convolution: order.index(convolution.name))
    (residual,) = set(addition.inputs) - {host.name}
    exists = residual == graph.input_name or order.index(residual) < order.index(host.name)
    return host if exists else None


def encode(graph: Graph) -> tuple[bytes, bytes]:
    """The parts "….graph" and "….weights"."""
    numbers = {graph.input_name: 0}
    data = bytearray(struct.pack("<4I", *graph.input_HWC, len(graph.operations)))
    weights: list[Floats] = []
    weight_count = 0

    def append(values: Floats) -> int:
        nonlocal weight_count
        if not np.isfinite(values).all():
            raise NotPackageable("a weight is not finite, or not within float32")
        weights.append(values.ravel())
        weight_count += values.size
        return weight_count - values.size

    for number, operation in enumerate(graph.operations, 1):
        numbers[operation.name] = number
        inputs = [numbers[name] for name in operation.inputs]
        data += struct.pack(f"<II{len(inputs)}II", operation.kind, len(inputs), *inputs, operation.has_relu)
        kernel = operation.kernel
        if operation.weight_OIHW is not None and operation.bias_O is not None:
            data += struct.pack("<I", len(operation.bias_O))
        if kernel:
            data += struct.pack(
                "<10I", *kernel.size, *kernel.stride, *kernel.dilation, *kernel.padding, *kernel.padding
            )
        if operation.weight_OIHW is not None and operation.bias_O is not None:
            weights_at = append(operation.weight_OIHW.transpose(0, 2, 3, 1).astype(np.float32))
            data += struct.pack("<2Q", weights_at, append(operation.bias_O.astype(np.float32)))
        if operation.size:
            data += struct.pack("<2I", *operation.size)
    data += struct.pack(f"<I{len(graph.outputs)}I", len(graph.outputs), *(numbers[o] for o in graph.outputs))
    return bytes(data), np.concatenate(weights or [np.zeros(0, np.float32)]).astype("<f4").tobytes()


# --- from torch's operations --------------------------------------------------------------------------------


@dataclass
class _Translation:
    """The operations so far."""

    constants: dict[str, Tensor]
    input_name: str
    operations: list[GraphOperation] = field(default_factory=list)
    _producers: dict[str, str] = field(default_factory=dict)
    """Of nodes that have no operation of their own."""

    def producer(self, name: str) -> str:
        """The name of the operation that computes a node's output."""
        return self._producers.get(name, name)

    def add(self, node: fx.Node) -> None:
        target = str(node.target)
        if target not in _TRANSLATORS:
            raise NotPackageable(f"the network has an operation {target}, which packages do not know")
        _TRANSLATORS[target](self, node)

    def alias(self, node: fx.Node, of: fx.Node) -> None:
        self._producers[node.name] = self.producer(of.name)

    def append(self, node: fx.Node, kind: OperationKind, *inputs: fx.Node, **attributes: Any) -> None:  # noqa: ANN401 - GraphOperation's
        names = tuple(self.producer(tensor.name) for tensor in inputs)
        self.operations.append(GraphOperation(node.name, kind, names, **attributes))

    def constant(self, node: fx.Node | None) -> NDArray[np.float64] | None:
        if node is None:
            return None
        return np.asarray(self.constants[node.name].detach().double().numpy(), np.float64)


def _arguments(node: fx.Node) -> dict[str, Any]:
    """The arguments by the operator's own names, defaults included."""
    schema = node.target._schema  # type: ignore[union-attr]  # noqa: SLF001 - an OpOverload's
    names = [argument.name for argument in schema.arguments]
    given = dict(zip(names, node.args, strict=False)) | dict(node.kwargs)
    return {argument.name: given.get(argument.name, argument.default_value) for argument in schema.arguments}


def _pair(value: int | Sequence[int]) -> tuple[int, int]:
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


def _shape(node: fx.Node) -> tuple[int, ...]:
    return tuple(int(side) for side in node.meta["val"].shape)


def _convolution(translation: _Translation, node: fx.Node) -> None:
    arguments = _arguments(node)
    if arguments["groups"] != 1:
        raise NotPackageable("the network has a grouped convolution, which packages do not know")
    weight_OIHW = translation.constant(arguments["weight"])
    assert weight_OIHW is not None  # noqa: S101 - for the type checker
    bias_O = translation.constant(arguments["bias"])
    dilation = _pair(arguments["dilation"])
    size = (weight_OIHW.shape[2], weight_OIHW.shape[3])
    padding = arguments["padding"]
    if isinstance(padding, str):
        if padding == "same" and any(d * (k - 1) % 2 for d, k in zip(dilation, size, strict=True)):
            raise NotPackageable("the network has a convolution whose border differs between its sides")
        same = [d * (k - 1) // 2 for d, k in zip(dilation, size, strict=True)]
        padding = same if padding == "same" else [0, 0]
    translation.append(
        node,
        OperationKind.CONVOLUTION,
        arguments["input"],
        kernel=Kernel(size, _pair(arguments["stride"]), dilation, _pair(padding)),
        weight_OIHW=weight_OIHW,
        bias_O=np.zeros(len(weight_OIHW)) if bias_O is None else bias_O,
    )


def _linear(translation: _Translation, node: fx.Node) -> None:
    arguments = _arguments(node)
    weight_OI, bias_O = translation.constant(arguments["weight"]), translation.constant(arguments["bias"])
    assert weight_OI is not None  # noqa: S101 - for the type checker
    translation.append(
        node,
        OperationKind.CONVOLUTION,
        arguments["input"],
        kernel=Kernel((1, 1), (1, 1), (1, 1), (0, 0)),
        weight_OIHW=weight_OI[:, :, None, None],
        bias_O=np.zeros(len(weight_OI)) if bias_O is None else bias_O,
    )


def _batch_norm(translation: _Translation, node: fx.Node) -> None:
    arguments = _arguments(node)
    source = translation.operations[-1] if translation.operations else None
    name = translation.producer(arguments["input"].name)
    if (
        source is None
        or source.name != name
        or source.kind != OperationKind.CONVOLUTION
        or len(arguments["input"].users) > 1
    ):
        raise NotPackageable("the network has a batch normalisation that does not follow its convolution")
    mean_O, variance_O = (translation.constant(arguments[key]) for key in ("running_mean", "running_var"))
    scale_O, shift_O = (translation.constant(arguments[key]) for key in ("weight", "bias"))
    assert mean_O is not None  # noqa: S101 - for the type checker
    assert variance_O is not None  # noqa: S101 - for the type checker
    assert source.weight_OIHW is not None  # noqa: S101 - for the type checker
    assert source.bias_O is not None  # noqa: S101 - for the type checker
    factor_O = (1.0 if scale_O is None else scale_O) / np.sqrt(variance_O + arguments["eps"])
    translation.operations[-1] = replace(
        source,
        weight_OIHW=source.weight_OIHW * factor_O[:, None, None, None],
        bias_O=(source.bias_O - mean_O) * factor_O + (0.0 if shift_O is None else shift_O),
    )
    translation.alias(node, arguments["input"])


def _max_pool(translation: _Translation, node: fx.Node) -> None:
    arguments = _arguments(node)
    if arguments["ceil_mode"] or _pair(arguments["dilation"]) != (1, 1):
        raise NotPackageable("the network has a pool with ceil_mode or dilation, which packages do not know")
    size = _pair(arguments["kernel_size"])
    kernel = Kernel(size, _pair(arguments["stride"] or size), (1, 1), _pair(arguments["padding"]))
    translation.append(node, OperationKind.MAX_POOL, _source(node), kernel=kernel)


def _mean(translation: _Translation, node: fx.Node) -> None:
    arguments = _arguments(node)
    whole = [1, 1] if "output_size" in arguments else None
    if whole and list(arguments["output_size"]) != whole:
        raise NotPackageable("the network has a pool that is not over all pixels")
    if not whole and sorted(axis % 4 for axis in arguments["dim"]) != [2, 3]:
        raise NotPackageable("the network has a mean that is not over all pixels")
    translation.append(node, OperationKind.MEAN, _source(node))


def _add(translation: _Translation, node: fx.Node) -> None:
    arguments = _arguments(node)
    terms = [arguments["self"], arguments["other"]]
    are_tensors = all(isinstance(term, fx.Node) and term.name not in translation.constants for term in terms)
    if not are_tensors or arguments["alpha"] != 1 or _shape(terms[0]) != _shape(terms[1]):
        raise NotPackageable("the network has a sum of other than two tensors of one shape")
    translation.append(node, OperationKind.ADD, *terms)


def _relu(translation: _Translation, node: fx.Node) -> None:
    translation.append(node, OperationKind.RELU, _source(node))


def _resize(kind: OperationKind) -> Callable[[_Translation, fx.Node], None]:
    def translate(translation: _Translation, node: fx.Node) -> None:
        arguments = _arguments(node)
        if arguments.get("align_corners"):
            raise NotPackageable("the network resizes with aligned corners, which packages do not know")
        factors = arguments.get("scale_factors") or [arguments.get("scales_h"), arguments.get("scales_w")]
        source, size = _shape(_source(node))[2:], _shape(node)[2:]
        for factor, before, after in zip(factors, source, size, strict=True):
            # torch scales by the factor, the library by the quotient of the sizes: they must be equal.
            if factor is not None and before * factor != after:
                raise NotPackageable("the network resizes by a factor that its sizes do not have")
        translation.append(node, kind, _source(node), size=size)

    return translate


def _concatenate(translation: _Translation, node: fx.Node) -> None:
    arguments = _arguments(node)
    if arguments["dim"] % 4 != 1:
        raise NotPackageable("the network joins tensors along another axis than channels")
    translation.append(node, OperationKind.CONCATENATE, *arguments["tensors"])


def _flatten(translation: _Translation, node: fx.Node) -> None:
    """(N, C, 1, 1) → (N, C): the same floats in the same order."""
    source = _source(node)
    if len(_shape(source)) == 4 and _shape(source)[2:] != (1, 1):
        raise NotPackageable("the network flattens more than one pixel, which packages do not know")
    translation.alias(node, source)


def _identity(translation: _Translation, node: fx.Node) -> None:
    """Dropout and others that do nothing when a network predicts."""
    translation.alias(node, _source(node))


def _source(node: fx.Node) -> fx.Node:
    """The first input tensor of an operation."""
    return node.all_input_nodes[0]


_TRANSLATORS: dict[str, Callable[[_Translation, fx.Node], None]] = {
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
    "aten.relu.default": _relu,
    "aten.relu_.default": _relu,
    "aten.upsample_nearest2d.vec": _resize(OperationKind.RESIZE_NEAREST),
    "aten.upsample_nearest2d.default": _resize(OperationKind.RESIZE_NEAREST),
    "aten.upsample_bilinear2d.vec": _resize(OperationKind.RESIZE_BILINEAR),
    "aten.upsample_bilinear2d.default": _resize(OperationKind.RESIZE_BILINEAR),
    "aten.cat.default": _concatenate,
    "aten.flatten.using_ints": _flatten,
    "aten.view.default": _flatten,
    "aten.reshape.default": _flatten,
    "aten.dropout.default": _identity,
    "aten.contiguous.default": _identity,
}
