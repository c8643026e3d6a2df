// The loops over time of lstm_steps.py and gated_memory.py, without Python between the operations.
//
// Every function calls the ATen operations of the Python loop beside it, on operands of the same sizes and strides, in
// the same order. No sum is formed here, so the bits are those of the Python loop on the same machine. Whoever changes
// one of the two changes the other. Results of temporary value go to buffers that the steps share.
//
// Tensors have a leading axis of members. Callers make sure that all are on the CPU and of one floating type.

#include <ATen/ATen.h>
#include <torch/library.h>

#include <array>
#include <optional>
#include <tuple>
#include <vector>

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Guard = at::AutoDispatchBelowADInplaceOrView;  // the derivatives are written out

std::array<Tensor, 4> parts_of(const Tensor& gates) {
  const auto size = gates.size(-1) / 4;
  return {gates.narrow(-1, 0, size), gates.narrow(-1, size, size), gates.narrow(-1, 2 * size, size),
          gates.narrow(-1, 3 * size, size)};
}

// gates (member, time, batch, 4 hidden) hold the input's share and become the gates' values; the first states of
// hidden and cells (member, time + 1, batch, hidden) are given, the others are written.
void lstm_forward(Tensor gates, const Tensor& weight_hh, Tensor hidden, Tensor cells, Tensor squashed) {
  Guard guard;
  const auto recurrent = weight_hh.transpose(1, 2);
  auto h = hidden.select(1, 0), c = cells.select(1, 0);
  auto product = at::empty({gates.size(0), gates.size(2), gates.size(3)}, gates.options());
  auto kept = at::empty(c.sizes(), c.options()), added = at::empty_like(kept);
  for (int64_t t = 0; t < gates.size(1); ++t) {
    auto whole = gates.select(1, t);
    auto [i, f, g, o] = parts_of(whole);
    whole.add_(at::bmm_out(product, h, recurrent));
    i.sigmoid_();
    f.sigmoid_();
    g.tanh_();
    o.sigmoid_();
    auto next_c = cells.select(1, t + 1), next_h = hidden.select(1, t + 1), tanh_c = squashed.select(1, t);
    at::add_out(next_c, at::mul_out(kept, f, c), at::mul_out(added, i, g));
    at::mul_out(next_h, o, at::tanh_out(tanh_c, next_c));
    h = next_h;
    c = next_c;
  }
}

// Writes d_gates; gives the gradients of the initial states, which are of no use unless to_initial.
std::tuple<Tensor, Tensor> lstm_backward(const Tensor& gates, const Tensor& weight_hh, const Tensor& cells,
                                         const Tensor& squashed, const OptionalTensor& d_hidden,
                                         const OptionalTensor& d_cells, Tensor d_gates, bool to_initial) {
  Guard guard;
  const auto time = gates.size(1);
  auto dh = d_hidden ? d_hidden->select(1, time) : at::zeros_like(cells.select(1, 0));
  auto dc = d_cells ? d_cells->select(1, time) : at::zeros_like(cells.select(1, 0));
  for (int64_t t = time - 1; t >= 0; --t) {
    const auto [i, f, g, o] = parts_of(gates.select(1, t));
    auto d_whole = d_gates.select(1, t);
    auto [d_i, d_f, d_g, d_o] = parts_of(d_whole);
    const auto tanh_c = squashed.select(1, t), c = cells.select(1, t);
    dc = dc + at::tanh_backward(dh * o, tanh_c);
    at::sigmoid_backward_out(d_i, dc * g, i);
    at::sigmoid_backward_out(d_f, dc * c, f);
    at::tanh_backward_out(d_g, dc * i, g);
    at::sigmoid_backward_out(d_o, dh * tanh_c, o);
    if (t == 0 && !to_initial) break;
    dh = at::bmm(d_whole, weight_hh);
    dc = dc * f;
    if (d_hidden) dh = d_hidden->select(1, t) + dh;
    if (d_cells) dc = d_cells->select(1, t) + dc;
  }
  return {dh, dc};
}

// Writes hidden (member, time, batch, widths), gates (2, member, time, batch, memory) and, after the first one, which
// is given, memories (member, time + 1, batch, memory).
void memory_forward(const Tensor& candidates, const Tensor& entering, const OptionalTensor& kept,
                    const Tensor& from_memory, const Tensor& keep_w, const Tensor& keep_b, const Tensor& update_w,
                    const Tensor& update_b, Tensor memories, Tensor hidden, Tensor gates) {
  Guard guard;
  const auto into = from_memory.transpose(1, 2);
  const std::array<Tensor, 2> weights{keep_w.transpose(1, 2), update_w.transpose(1, 2)};
  const std::array<Tensor, 2> biases{keep_b.unsqueeze(1), update_b.unsqueeze(1)};
  auto memory = memories.select(1, 0);
  for (int64_t t = 0; t < candidates.size(1); ++t) {
    auto z = hidden.select(1, t);
    const auto both = gates.select(2, t);
    at::add_out(z, entering.select(1, t), at::bmm(memory, into)).relu_();
    if (kept) z.mul_(kept->select(1, t));
    int64_t start = 0;
    for (int64_t k = 0; k < 2; ++k) {
      const auto width = weights[k].size(1);
      auto gate = both.select(0, k);
      at::add_out(gate, biases[k], at::bmm(z.narrow(-1, start, width).contiguous(), weights[k])).sigmoid_();
      start += width;
    }
    auto after = memories.select(1, t + 1);
    at::addcmul_out(after, both.select(0, 0) * memory, both.select(0, 1), candidates.select(1, t));
    memory = after;
  }
}

// Writes d_candidates, d_entering and d_gates, from the gradient of the last memory.
void memory_backward(Tensor d_memory, const Tensor& candidates, const OptionalTensor& kept, const Tensor& from_memory,
                     const Tensor& keep_w, const Tensor& update_w, const Tensor& memories, const Tensor& hidden,
                     const Tensor& gates, Tensor d_candidates, Tensor d_entering, Tensor d_gates) {
  Guard guard;
  const std::array<Tensor, 2> weights{keep_w, update_w};
  for (int64_t t = candidates.size(1) - 1; t >= 0; --t) {
    const auto candidate = candidates.select(1, t), memory = memories.select(1, t);
    const auto both = gates.select(2, t), d_both = d_gates.select(2, t);
    const auto keep = both.select(0, 0), update = both.select(0, 1);
    std::array<Tensor, 2> d_gate{d_both.select(0, 0), d_both.select(0, 1)};
    auto d_candidate = d_candidates.select(1, t), d_z = d_entering.select(1, t);
    at::mul_out(d_candidate, d_memory, update);
    at::sigmoid_backward_out(d_gate[0], d_memory * memory, keep);
    at::sigmoid_backward_out(d_gate[1], d_memory * candidate, update);
    int64_t start = 0;
    for (int64_t k = 0; k < 2; ++k) {
      const auto width = weights[k].size(2);
      d_z.narrow(-1, start, width).copy_(at::bmm(d_gate[k], weights[k]));
      start += width;
    }
    d_z.mul_(hidden.select(1, t) > 0);
    if (kept) d_z.mul_(kept->select(1, t));
    d_memory = at::baddbmm(d_memory * keep, d_z, from_memory);
  }
}

}  // namespace

TORCH_LIBRARY(reprise_loops, library) {
  library.def(
      "lstm_forward(Tensor(a!) gates, Tensor weight_hh, Tensor(b!) hidden, Tensor(c!) cells, Tensor(d!) squashed) -> ()",
      lstm_forward);
  library.def(
      "lstm_backward(Tensor gates, Tensor weight_hh, Tensor cells, Tensor squashed, Tensor? d_hidden, Tensor? d_cells, "
      "Tensor(a!) d_gates, bool to_initial) -> (Tensor, Tensor)",
      lstm_backward);
  library.def(
      "memory_forward(Tensor candidates, Tensor entering, Tensor? kept, Tensor from_memory, Tensor keep_w, "
      "Tensor keep_b, Tensor update_w, Tensor update_b, Tensor(a!) memories, Tensor(b!) hidden, Tensor(c!) gates) -> ()",
      memory_forward);
  library.def(
      "memory_backward(Tensor d_memory, Tensor candidates, Tensor? kept, Tensor from_memory, Tensor keep_w, "
      "Tensor update_w, Tensor memories, Tensor hidden, Tensor gates, Tensor(a!) d_candidates, Tensor(b!) d_entering, "
      "Tensor(c!) d_gates) -> ()",
      memory_backward);
}
