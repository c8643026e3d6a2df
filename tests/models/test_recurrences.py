"""Recurrences that can be stacked, and work that is left out, against torch's own layers."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from lib.absence import absent_like, is_absent
from lib.models.ef_lstm import EFLSTM, BiEFLSTM
from lib.models.gated_memory import gated_memory
from lib.models.lstm_steps import lstm_steps
from lib.models.recurrent import GRU, LSTM, stackable

FEATURES = {"text": 4, "audio": 3, "video": 2}


def test_the_written_backward_pass_is_the_gradient():
    torch.manual_seed(0)
    shapes = [(3, 2, 4), (12, 4), (12, 3), (12,), (2, 3), (2, 3)]
    x, w, u, b, h, c = (torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes)
    assert torch.autograd.gradcheck(lambda *a: lstm_steps(*a[:4], a[4:]), (x, w, u, b, h, c))
    assert torch.autograd.gradcheck(lambda *a: lstm_steps(*a)[1][-1], (x.detach(), w, u, b))


def test_the_steps_are_those_of_torch_with_the_states_between():
    torch.manual_seed(0)
    cell, x = nn.LSTMCell(5, 8).double(), torch.randn(7, 4, 5, dtype=torch.float64)
    hidden, cells = lstm_steps(x, cell.weight_ih, cell.weight_hh, cell.bias_ih + cell.bias_hh)
    h = c = torch.zeros(4, 8, dtype=torch.float64)
    assert torch.equal(hidden[0], h)
    assert torch.equal(cells[0], c)
    for t in range(7):
        h, c = cell(x[t], (h, c))
        torch.testing.assert_close(hidden[t + 1], h)
        torch.testing.assert_close(cells[t + 1], c)


@pytest.mark.parametrize("kind", [LSTM, GRU])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_stackable_layers_equal_torchs_for_every_stacked_model(kind, bidirectional, batch_first):
    torch.manual_seed(0)
    options = {"num_layers": 2, "bidirectional": bidirectional, "batch_first": batch_first}
    models = [kind(5, 4, **options).double() for _ in range(3)]
    x = torch.randn(3, 6, 2, 5, dtype=torch.float64)
    parameters, buffers = stack_module_state(models)

    def outputs(parameters, buffers, x):
        output, final = functional_call(models[0], (parameters, buffers), (x,))
        return output, final

    with stackable():
        output, final = vmap(outputs)(parameters, buffers, x)
        output.square().sum().backward()
    for k, model in enumerate(models):
        reference = getattr(nn, kind.__name__)(5, 4, **options).double()
        reference.load_state_dict(model.state_dict())
        expected, expected_final = reference(x[k])
        torch.testing.assert_close(output[k], expected)
        for ours, theirs in zip(
            final if kind is LSTM else (final,), expected_final if kind is LSTM else (expected_final,), strict=True
        ):
            torch.testing.assert_close(ours[k], theirs)
        expected.square().sum().backward()
        for name, parameter in reference.named_parameters():
            torch.testing.assert_close(parameters[name].grad[k], parameter.grad)


@pytest.mark.parametrize("steps", [False, True], ids=["torch's layer", "step by step"])
@pytest.mark.parametrize("columns", [[slice(0, 4)], [slice(0, 2), slice(5, 7)]])
def test_last_output_from_some_columns_is_that_with_zeros_in_the_others(columns, steps):
    torch.manual_seed(0)
    model = LSTM(7, 3, num_layers=2, bidirectional=True).double()
    x = torch.zeros(5, 2, 7, dtype=torch.float64)
    part = torch.cat([torch.randn(5, 2, c.stop - c.start, dtype=torch.float64) for c in columns], dim=-1)
    x[..., torch.cat([torch.arange(c.start, c.stop) for c in columns])] = part
    expected = model(x)[0][-1]
    if steps:
        with stackable():
            found = model.last_output(part, columns)
    else:
        found = model.last_output(part, columns)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("fed", [("text",), ("text", "video"), ("audio",), ()])
def test_an_absent_modality_is_zeros_in_outputs_and_gradients(fed):
    torch.manual_seed(0)
    for model in (BiEFLSTM(FEATURES, hidden=3, classes=2, dropout=0.0), EFLSTM(FEATURES, hidden=3, dropout=0.0)):
        model.double()
        inputs = {m: torch.randn(4, 5, width, dtype=torch.float64) for m, width in FEATURES.items()}
        dense = {m: x if m in fed else torch.zeros_like(x) for m, x in inputs.items()}
        absent = {m: x if m in fed else absent_like(x) for m, x in inputs.items()}
        gradients = []
        for given in (dense, absent):
            model.zero_grad()
            output = model(**given)
            output.square().sum().backward()
            gradients.append((output, [p.grad.clone() for p in model.parameters()]))
        torch.testing.assert_close(gradients[0], gradients[1])


def test_only_zeros_stored_once_are_absent():
    x = torch.ones(2, 3, 4)
    assert is_absent(absent_like(x))
    assert is_absent(absent_like(x)[:1])
    assert not is_absent(torch.zeros_like(x))
    assert not is_absent(x)
    assert not is_absent(torch.ones(()).expand(2, 3, 4))
    assert torch.equal(absent_like(x), torch.zeros_like(x))
    assert absent_like(x).untyped_storage().nbytes() == x.element_size()


def plain_memory(candidates, entering, kept, from_memory, keep, update):
    """The recurrence as the specification has it, gate by gate."""
    memory = torch.zeros_like(candidates[0])
    for t, candidate in enumerate(candidates):
        z = (entering[t] + memory @ from_memory.T).relu()
        z = z if kept is None else z * kept[t]
        first, second = z.split((keep[0].shape[1], update[0].shape[1]), dim=-1)
        gates = [(part @ w.T + b).sigmoid() for part, (w, b) in ((first, keep), (second, update))]
        memory = gates[0] * memory + gates[1] * candidate
    return memory


def memory_inputs(members: int, *, dropout: bool) -> list[torch.Tensor | None]:
    torch.manual_seed(0)
    shapes = [(5, 3, 4), (5, 3, 8), (5, 3, 8), (8, 4), (4, 6), (4,), (4, 2), (4,)]
    tensors = [torch.randn(members, *shape, dtype=torch.float64, requires_grad=True) for shape in shapes]
    tensors[2] = (tensors[2].detach() > 0) * 1.5 if dropout else None
    return tensors


def paired(candidates, entering, kept, from_memory, keep_w, keep_b, update_w, update_b):
    return candidates, entering, kept, from_memory, (keep_w, keep_b), (update_w, update_b)


@pytest.mark.parametrize("dropout", [False, True])
def test_the_gated_memory_is_the_plain_recurrence_alone_and_stacked(dropout):
    tensors = memory_inputs(3, dropout=dropout)
    trained = [t for t in tensors if t is not None and t.requires_grad]
    alone = [plain_memory(*paired(*(None if t is None else t[k] for t in tensors))) for k in range(3)]
    expected = torch.autograd.grad(torch.stack(alone).sin().sum(), trained)
    one_by_one = [gated_memory(*paired(*(None if t is None else t[k] for t in tensors))) for k in range(3)]
    in_dims = tuple(None if t is None else 0 for t in tensors)
    stacked = vmap(lambda *one: gated_memory(*paired(*one)), in_dims=in_dims)(*tensors)
    for found in (torch.stack(one_by_one), stacked):
        torch.testing.assert_close(found, torch.stack(alone))
        for ours, theirs in zip(torch.autograd.grad(found.sin().sum(), trained), expected, strict=True):
            torch.testing.assert_close(ours, theirs)
