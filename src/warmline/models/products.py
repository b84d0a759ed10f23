"""How linear layers multiply on a CPU: by weights that are laid out for it once, or in 8 bits."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    Product = Callable[[torch.Tensor], torch.Tensor]

FEW_ROWS = 40  # texts that are read together: those of eight windows
MANY_ROWS = 2048  # words of texts that are read together, or frames of a window
# The largest number of a row in 8 bits. Where a processor adds two products in 16 bits (AVX2), they
# would not fit with more than 7 bits; with 7, all processors give the same.
_LARGEST, _ZERO = 63, 64
_LARGEST_WEIGHT = 127


def product_with(
    weight: "torch.Tensor", bias: "torch.Tensor | None" = None, rows: int = FEW_ROWS
) -> "Product":
    """Return what multiplies about so many rows by a weight, as `torch.nn.functional.linear` does.

    On a CPU torch lays the weight out anew for every product. In bfloat16 that is half of the time
    for five rows, a fifth for forty, and a twelfth for two thousand; in float32 half for five, a
    sixth for forty, and nothing for a thousand.
    """
    import torch

    if not _can_lay_out(weight):
        return partial(torch.nn.functional.linear, weight=weight, bias=bias)
    laid_out = torch.ops.mkldnn._reorder_linear_weight(weight, rows)
    multiply = torch.ops.mkldnn._linear_pointwise
    return lambda rows: multiply(rows, laid_out, bias, "none", [], "")


def lay_out(network: "torch.nn.Module", rows: int, *, but_not: tuple[str, ...] = ()) -> None:
    """Have the products of linear layers take weights that are laid out for them, once."""
    import torch

    for name, layer in network.named_modules():
        if (
            isinstance(layer, torch.nn.Linear)
            and not name.endswith(but_not)
            and _can_lay_out(layer.weight)
        ):
            _take(layer, product_with(layer.weight.data, layer.bias, rows))


def _can_lay_out(weight: "torch.Tensor") -> bool:
    import torch

    if weight.device.type != "cpu" or not weight.numel():
        return False
    if weight.dtype == torch.bfloat16:  # without oneDNN: False
        return bool(getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", bool)())
    return weight.dtype == torch.float32 and bool(torch._C._has_mkldnn)


def computes_int8() -> bool:
    """Return whether torch multiplies in 8 bits here: with FBGEMM, on x86 processors."""
    import torch

    return "fbgemm" in torch.backends.quantized.supported_engines


def product_in_8_bits(weight: "torch.Tensor", bias: "torch.Tensor | None" = None) -> "Product":
    """Return what multiplies rows in float32 by a weight in 8 bits.

    Each row has a scale of its own, and each channel of the output: what comes of a row does not
    depend on the rows beside it.
    """
    import torch

    scales = weight.abs().amax(1).clamp_min(torch.finfo(weight.dtype).tiny) / _LARGEST_WEIGHT
    zeros = torch.zeros_like(scales, dtype=torch.long)
    with warnings.catch_warnings():
        # Deprecated in favour of torchao, but part of every torch 2.13, which is pinned.
        warnings.filterwarnings("ignore", message=".*deprecated")
        quantised = torch.quantize_per_channel(weight, scales, zeros, 0, torch.qint8)
    chosen = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        packed = torch.ops.quantized.linear_prepack(quantised, None)
    finally:
        torch.backends.quantized.engine = chosen
    multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32

    def product(rows: "torch.Tensor") -> "torch.Tensor":
        largest = rows.abs().amax(-1, keepdim=True).clamp_min(torch.finfo(rows.dtype).tiny)
        found: torch.Tensor = multiply(rows / largest, 1 / _LARGEST, _ZERO, packed)
        return found.mul_(largest) if bias is None else torch.addcmul(bias, found, largest)

    return product


def in_8_bits(network: "torch.nn.Module", *, but_not: tuple[str, ...] = ()) -> None:
    """Have the products of linear layers computed in 8 bits."""
    import torch

    for name, layer in network.named_modules():
        if isinstance(layer, torch.nn.Linear) and not name.endswith(but_not):
            _take(layer, product_in_8_bits(layer.weight.data, layer.bias))


def _take(layer: "torch.nn.Linear", product: "Product") -> None:
    """Have a layer multiply so, and free the memory of its weight."""
    import torch

    setattr(layer, "forward", product)  # noqa: B010 (it takes the place of a method)
    layer.weight.data = torch.empty(0, dtype=layer.weight.dtype)
