import pytest
import torch

from charlm.models import cudnn, recurrence
from charlm.models.cudnn import Block, Sizes, padded, padded_rows

T, B, E, H = 5, 3, 4, 6


def test_sizes_are_those_of_the_kernel_that_stays():
    assert padded(Sizes(64, 512)) == Sizes(128, 512)
    assert padded(Sizes(650, 650)) == Sizes(768, 768)
    assert padded(Sizes(1, 1)) == Sizes(128, 256)
    assert padded(Sizes(128, 1024)) == Sizes(128, 1024)
    assert padded(Sizes(128, 1025)) is None
    assert [padded_rows(rows) for rows in (1, 8, 50, 128, 129, 200)] == [8, 8, 56, 128, 129, 200]


def tensors(seed):
    draw = torch.Generator().manual_seed(seed)
    shapes = ((T, B, E), (B, H), (B, H), (4 * H, E), (4 * H, H), (4 * H,))
    made = [torch.randn(s, generator=draw, dtype=torch.float64) for s in shapes]
    return [tensor.requires_grad_() for tensor in made]


def total(outputs, h, c):
    weights = torch.arange(1.0, T * B * H + 1, dtype=outputs.dtype).view(T, B, H)
    return (outputs * weights.sin()).sum() + (h * weights[0]).sum() + (c * weights[1].cos()).sum()


@pytest.mark.parametrize(("sizes", "rows"), [(Sizes(E, H), B), (Sizes(8, 16), 8), (Sizes(E, 7), 4)])
def test_padding_changes_neither_results_nor_gradients(sizes, rows):
    expected, found = tensors(0), tensors(0)
    x, h0, c0, weight_ih, weight_hh, bias = expected
    plain = recurrence.lstm(x @ weight_ih.t() + bias, weight_hh, h0, c0)
    total(*plain).backward()
    block = Block(sizes, torch.float64, torch.device("cpu"))
    for _ in range(2):  # a block is written anew for every window
        for tensor in found:
            tensor.grad = None
        made = cudnn.lstm(
            block, found[0], tuple(found[1:3]), tuple(found[3:]), rows=rows, training=True
        )
        total(*made).backward()
    for one, other in zip(plain, made, strict=True):
        torch.testing.assert_close(other, one, rtol=0.0, atol=1e-10)
    for one, other in zip(expected, found, strict=True):
        torch.testing.assert_close(other.grad, one.grad, rtol=0.0, atol=1e-10)


def test_weights_of_another_type_get_gradients_of_their_own():
    x, h0, c0, *weights = (tensor.detach() for tensor in tensors(1))
    block = Block(Sizes(E, H), torch.float32, torch.device("cpu"))
    weights = tuple(weight.requires_grad_() for weight in weights)
    outputs, h, _ = cudnn.lstm(block, x.float(), (h0, c0), weights, rows=B, training=True)
    outputs.sum().backward()
    assert outputs.dtype == torch.float32
    assert h.dtype == torch.float64
    assert [weight.grad.dtype for weight in weights] == [torch.float64] * 3
    assert [weight.grad.shape for weight in weights] == [weight.shape for weight in weights]
