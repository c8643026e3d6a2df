// The loops over time of lstm_steps.py and gated_memory.py, without Python between the operations.
//
// The bits are those of the Python loop on the same machine, because
//   * matrix products, sigmoid, tanh, tanh's derivative and addcmul are the same ATen operations on operands of the same
//     sizes and strides (what they give depends on these, and on the instructions that ATen chose for the processor);
//   * the rest are single additions, subtractions, products and comparisons of two numbers, which IEEE 754 rounds in
//     one way only. They are done here, several in one pass, and never contracted (-ffp-contract=off).
// ATen contracts tanh's derivative and addcmul on some processors: that is why these two are not written out.
// Whoever changes a Python loop changes the one here too.
//
// Tensors have a leading axis of members. Callers make sure that all are on the CPU and of one floating type.

#include <ATen/ATen.h>
#include <ATen/CPUFunctions.h>
#include <ATen/Dispatch.h>
#include <torch/library.h>

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>

namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Guard = at::AutoDispatchBelowADInplaceOrView;  // the derivatives are written out

void check_plain(std::initializer_list<Tensor> tensors) {
  for (const auto& tensor : tensors) TORCH_CHECK(tensor.is_contiguous(), "a tensor of the loops has gaps");
}

// The rows of a tensor: at(member, time, sample), or at(member, sample) for one without an axis of time.
template <typename scalar>
struct Rows {
  scalar* data = nullptr;
  int64_t member = 0, time = 0, sample = 0;

  Rows() = default;
  explicit Rows(const Tensor& whole) {
    if (!whole.defined()) return;
    const auto last = whole.dim() - 1;
    data = whole.data_ptr<scalar>();
    sample = whole.stride(last - 1);
    time = last > 2 ? whole.stride(last - 2) : 0;
    member = whole.stride(last > 2 ? last - 3 : 0);
  }
  scalar* at(int64_t m, int64_t t, int64_t b) const { return data + m * member + t * time + b * sample; }
  scalar* at(int64_t m, int64_t b) const { return at(m, 0, b); }
};

template <typename Each>
void each_row(int64_t members, int64_t batch, const Each& each) {
  for (int64_t m = 0; m < members; ++m)
    for (int64_t b = 0; b < batch; ++b) each(m, b);
}

// at::sigmoid_backward
template <typename scalar>
inline scalar through_sigmoid(scalar gradient, scalar output) {
  return gradient * (scalar(1) - output) * output;
}

// gates (member, time, batch, 4 hidden) hold the input's share and become the gates' values; the first states of
// hidden and cells (member, time + 1, batch, hidden) are given, the others are written.
void lstm_forward(Tensor gates, const Tensor& weight_hh, Tensor hidden, Tensor cells, Tensor squashed) {
  Guard guard;
  check_plain({gates, hidden, cells, squashed});
  const auto members = gates.size(0), time = gates.size(1), batch = gates.size(2), size = gates.size(3) / 4;
  const auto recurrent = weight_hh.transpose(1, 2);
  auto product = at::empty({members, batch, 4 * size}, gates.options());
  AT_DISPATCH_FLOATING_TYPES(gates.scalar_type(), "lstm_forward", [&] {
    const Rows<scalar_t> gate(gates), h(hidden), c(cells), tanh_c(squashed), product_of(product);
    for (int64_t t = 0; t < time; ++t) {
      at::cpu::bmm_out(product, hidden.select(1, t), recurrent);
      each_row(members, batch, [&](int64_t m, int64_t b) {
        auto* __restrict into = gate.at(m, t, b);
        const auto* __restrict added = product_of.at(m, b);
        for (int64_t k = 0; k < 4 * size; ++k) into[k] += added[k];
      });
      const auto whole = gates.select(1, t);
      auto i = whole.narrow(-1, 0, size), f = whole.narrow(-1, size, size), g = whole.narrow(-1, 2 * size, size),
           o = whole.narrow(-1, 3 * size, size);
      at::cpu::sigmoid_(i), at::cpu::sigmoid_(f), at::cpu::tanh_(g), at::cpu::sigmoid_(o);
      each_row(members, batch, [&](int64_t m, int64_t b) {
        const auto* __restrict gates_of = gate.at(m, t, b);
        const auto* __restrict before = c.at(m, t, b);
        auto* __restrict after = c.at(m, t + 1, b);
        for (int64_t k = 0; k < size; ++k)
          after[k] = gates_of[size + k] * before[k] + gates_of[k] * gates_of[2 * size + k];
      });
      auto squash = squashed.select(1, t);
      at::cpu::tanh_out(squash, cells.select(1, t + 1));
      each_row(members, batch, [&](int64_t m, int64_t b) {
        const auto* __restrict open = gate.at(m, t, b) + 3 * size;
        const auto* __restrict value = tanh_c.at(m, t, b);
        auto* __restrict next = h.at(m, t + 1, b);
        for (int64_t k = 0; k < size; ++k) next[k] = open[k] * value[k];
      });
    }
  });
}

// Writes d_gates; gives the gradients of the initial states, which are of no use unless to_initial.
std::tuple<Tensor, Tensor> lstm_backward(const Tensor& gates, const Tensor& weight_hh, const Tensor& cells,
                                         const Tensor& squashed, const OptionalTensor& d_hidden,
                                         const OptionalTensor& d_cells, Tensor d_gates, bool to_initial) {
  Guard guard;
  check_plain({gates, cells, squashed, d_gates});
  const auto members = gates.size(0), time = gates.size(1), batch = gates.size(2), size = gates.size(3) / 4;
  const auto given_h = d_hidden ? d_hidden->contiguous() : Tensor(), given_c = d_cells ? d_cells->contiguous() : Tensor();
  auto dh = at::zeros({members, batch, size}, gates.options()), dc = at::zeros_like(dh);
  if (d_hidden) dh.copy_(given_h.select(1, time));
  if (d_cells) dc.copy_(given_c.select(1, time));
  auto share = at::empty_like(dh), through_tanh = at::empty_like(dh);
  AT_DISPATCH_FLOATING_TYPES(gates.scalar_type(), "lstm_backward", [&] {
    const Rows<scalar_t> gate(gates), d_gate(d_gates), c(cells), tanh_c(squashed), dh_of(dh), dc_of(dc),
        share_of(share), through_tanh_of(through_tanh);
    for (int64_t t = time - 1; t >= 0; --t) {
      each_row(members, batch, [&](int64_t m, int64_t b) {
        const auto* __restrict o = gate.at(m, t, b) + 3 * size;
        const auto* __restrict gradient = dh_of.at(m, b);
        auto* __restrict to = share_of.at(m, b);
        for (int64_t k = 0; k < size; ++k) to[k] = gradient[k] * o[k];
      });
      at::cpu::tanh_backward_out(through_tanh, share, squashed.select(1, t));
      each_row(members, batch, [&](int64_t m, int64_t b) {
        const auto* __restrict of = gate.at(m, t, b);
        const auto* __restrict before = c.at(m, t, b);
        const auto* __restrict squash = tanh_c.at(m, t, b);
        const auto* __restrict more = through_tanh_of.at(m, b);
        const auto* __restrict d_h = dh_of.at(m, b);
        auto* __restrict d_c = dc_of.at(m, b);
        auto* __restrict to_g = share_of.at(m, b);
        auto* __restrict d_of = d_gate.at(m, t, b);
        for (int64_t k = 0; k < size; ++k) {
          const auto i = of[k], f = of[size + k], g = of[2 * size + k], o = of[3 * size + k];
          const auto gradient = d_c[k] + more[k];
          d_of[k] = through_sigmoid(gradient * g, i);
          d_of[size + k] = through_sigmoid(gradient * before[k], f);
          d_of[3 * size + k] = through_sigmoid(d_h[k] * squash[k], o);
          to_g[k] = gradient * i;
          d_c[k] = gradient * f;  // for the step before
        }
      });
      const auto d_whole = d_gates.select(1, t);
      auto d_g = d_whole.narrow(-1, 2 * size, size);
      at::cpu::tanh_backward_out(d_g, share, gates.select(1, t).narrow(-1, 2 * size, size));
      if (t == 0 && !to_initial) break;
      at::cpu::bmm_out(dh, d_whole, weight_hh);
      for (const auto& [gradient, more] : {std::pair(dh_of, Rows<scalar_t>(given_h)), {dc_of, Rows<scalar_t>(given_c)}}) {
        if (!more.data) continue;
        each_row(members, batch, [&, &gradient = gradient, &more = more](int64_t m, int64_t b) {
          auto* __restrict sum = gradient.at(m, b);
          const auto* __restrict added = more.at(m, t, b);
          for (int64_t k = 0; k < size; ++k) sum[k] += added[k];
        });
      }
    }
  });
  return {dh, dc};
}

// Rows [start, start + width) of the hidden layer as an operand without gaps: themselves, or this copy of them.
template <typename scalar>
Tensor part_of(const Tensor& layer, int64_t start, Tensor copy) {
  auto part = layer.narrow(-1, start, copy.size(2));
  if (part.is_contiguous()) return part;
  const Rows<scalar> parts(part), copies(copy);
  each_row(copy.size(0), copy.size(1), [&](int64_t m, int64_t b) {
    std::copy_n(parts.at(m, b), copy.size(2), copies.at(m, b));
  });
  return copy;
}

// Writes hidden (member, time, batch, widths), gates (2, member, time, batch, memory) and, after the first one, which
// is given, memories (member, time + 1, batch, memory).
void memory_forward(const Tensor& candidates, const Tensor& entering, const OptionalTensor& kept,
                    const Tensor& from_memory, const Tensor& keep_w, const Tensor& keep_b, const Tensor& update_w,
                    const Tensor& update_b, Tensor memories, Tensor hidden, Tensor gates) {
  Guard guard;
  check_plain({memories, hidden, gates});
  const auto members = hidden.size(0), time = hidden.size(1), batch = hidden.size(2), widths = hidden.size(3);
  const auto size = memories.size(3);
  const auto into = from_memory.transpose(1, 2), known = entering.contiguous();
  const auto factors = kept ? kept->contiguous() : Tensor();
  const std::array<Tensor, 2> weights{keep_w.transpose(1, 2), update_w.transpose(1, 2)};
  const std::array<Tensor, 2> biases{keep_b.contiguous(), update_b.contiguous()};
  const auto options = hidden.options();
  auto first = at::empty({members, batch, widths}, options), second = at::empty({members, batch, size}, options);
  auto remembered = at::empty_like(second);
  std::array<Tensor, 2> copies;
  for (int64_t k = 0; k < 2; ++k) copies[k] = at::empty({members, batch, weights[k].size(1)}, options);
  AT_DISPATCH_FLOATING_TYPES(hidden.scalar_type(), "memory_forward", [&] {
    const Rows<scalar_t> layer(hidden), share(known), factor_of(factors), gate(gates), memory(memories), first_of(first),
        second_of(second), remembered_of(remembered);
    const std::array<const scalar_t*, 2> bias_of{biases[0].data_ptr<scalar_t>(), biases[1].data_ptr<scalar_t>()};
    for (int64_t t = 0; t < time; ++t) {
      at::cpu::bmm_out(first, memories.select(1, t), into);
      each_row(members, batch, [&](int64_t m, int64_t b) {
        const auto* __restrict x = share.at(m, t, b);
        const auto* __restrict added = first_of.at(m, b);
        auto* __restrict z = layer.at(m, t, b);
        for (int64_t k = 0; k < widths; ++k) {
          const auto sum = x[k] + added[k];
          z[k] = sum < 0 ? scalar_t(0) : sum;  // NaN stays
        }
        if (!factor_of.data) return;
        const auto* __restrict factor = factor_of.at(m, t, b);
        for (int64_t k = 0; k < widths; ++k) z[k] *= factor[k];
      });
      const auto z = hidden.select(1, t), both = gates.select(2, t);
      const std::array<Tensor, 2> gate_of{both.select(0, 0), both.select(0, 1)};
      int64_t start = 0;
      for (int64_t which = 0; which < 2; ++which) {
        at::cpu::bmm_out(second, part_of<scalar_t>(z, start, copies[which]), weights[which]);
        start += weights[which].size(1);
        each_row(members, batch, [&](int64_t m, int64_t b) {
          auto* __restrict to = gate.at(m, t, b) + which * gates.stride(0);
          const auto* __restrict bias = bias_of[which] + m * size;
          const auto* __restrict added = second_of.at(m, b);
          for (int64_t k = 0; k < size; ++k) to[k] = bias[k] + added[k];
        });
        auto values = gate_of[which];
        at::cpu::sigmoid_(values);
      }
      each_row(members, batch, [&](int64_t m, int64_t b) {
        const auto* __restrict keep = gate.at(m, t, b);
        const auto* __restrict before = memory.at(m, t, b);
        auto* __restrict to = remembered_of.at(m, b);
        for (int64_t k = 0; k < size; ++k) to[k] = keep[k] * before[k];
      });
      auto after = memories.select(1, t + 1);
      at::cpu::addcmul_out(after, remembered, gate_of[1], candidates.select(1, t));
    }
  });
}

// Writes d_candidates, d_entering and d_gates, from the gradient of the last memory.
void memory_backward(const Tensor& d_last, const Tensor& candidates, const OptionalTensor& kept,
                     const Tensor& from_memory, const Tensor& keep_w, const Tensor& update_w, const Tensor& memories,
                     const Tensor& hidden, const Tensor& gates, Tensor d_candidates, Tensor d_entering,
                     Tensor d_gates) {
  Guard guard;
  check_plain({memories, hidden, gates, d_candidates, d_entering, d_gates});
  const auto members = hidden.size(0), time = hidden.size(1), batch = hidden.size(2), size = memories.size(3);
  const auto plain = candidates.contiguous(), factors = kept ? kept->contiguous() : Tensor();
  const std::array<Tensor, 2> weights{keep_w, update_w};
  std::array<Tensor, 2> products;
  for (int64_t k = 0; k < 2; ++k) products[k] = at::empty({members, batch, weights[k].size(2)}, hidden.options());
  auto d_memory = d_last.clone(at::MemoryFormat::Contiguous);
  AT_DISPATCH_FLOATING_TYPES(hidden.scalar_type(), "memory_backward", [&] {
    const Rows<scalar_t> layer(hidden), factor_of(factors), gate(gates), memory(memories), candidate(plain),
        d_candidate(d_candidates), d_layer(d_entering), d_gate(d_gates), d_memory_of(d_memory);
    const std::array<Rows<scalar_t>, 2> product_of{Rows<scalar_t>(products[0]), Rows<scalar_t>(products[1])};
    const auto other = gates.stride(0);  // from a number of `keep` to that of `update`
    for (int64_t t = time - 1; t >= 0; --t) {
      each_row(members, batch, [&](int64_t m, int64_t b) {
        const auto* __restrict gate_of = gate.at(m, t, b);
        const auto* __restrict before = memory.at(m, t, b);
        const auto* __restrict offered = candidate.at(m, t, b);
        auto* __restrict d_m = d_memory_of.at(m, b);
        auto* __restrict d_offered = d_candidate.at(m, t, b);
        auto* __restrict d_keep = d_gate.at(m, t, b);
        auto* __restrict d_update = d_gate.at(m, t, b) + other;
        for (int64_t k = 0; k < size; ++k) {
          const auto keep = gate_of[k], update = gate_of[other + k], gradient = d_m[k];
          d_offered[k] = gradient * update;
          d_keep[k] = through_sigmoid(gradient * before[k], keep);
          d_update[k] = through_sigmoid(gradient * offered[k], update);
          d_m[k] = gradient * keep;  // what passes by the gates
        }
      });
      const auto d_both = d_gates.select(2, t);
      int64_t start = 0;
      for (int64_t which = 0; which < 2; ++which) {
        const auto width = weights[which].size(2);
        at::cpu::bmm_out(products[which], d_both.select(0, which), weights[which]);
        each_row(members, batch, [&](int64_t m, int64_t b) {
          const auto* __restrict from = product_of[which].at(m, b);
          const auto* __restrict z = layer.at(m, t, b) + start;
          auto* __restrict to = d_layer.at(m, t, b) + start;
          for (int64_t k = 0; k < width; ++k) to[k] = from[k] * (z[k] > 0 ? scalar_t(1) : scalar_t(0));
          if (!factor_of.data) return;
          const auto* __restrict factor = factor_of.at(m, t, b) + start;
          for (int64_t k = 0; k < width; ++k) to[k] *= factor[k];
        });
        start += width;
      }
      at::cpu::baddbmm_(d_memory, d_entering.select(1, t), from_memory);
    }
  });
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
      "memory_backward(Tensor d_last, Tensor candidates, Tensor? kept, Tensor from_memory, Tensor keep_w, "
      "Tensor update_w, Tensor memories, Tensor hidden, Tensor gates, Tensor(a!) d_candidates, Tensor(b!) d_entering, "
      "Tensor(c!) d_gates) -> ()",
      memory_backward);
}
