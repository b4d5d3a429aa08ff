#pragma once

#include <array>
#include <span>
#include <vector>

#include "compiled.h"
#include "ports.h"

namespace modelmill::ov {

/// An output of the batch as it came out of an execution.
struct Produced {
  const ModelPort* port = nullptr;
  Handle<Tensor> tensor;
  uint32_t rank = 0;
  std::array<int64_t, backend::kMaxRank> sizes{};
  void* data = nullptr;
  bool lend = false;

  std::span<const int64_t> shape() const { return {sizes.data(), rank}; }
  const char* name() const { return port->spec.name.c_str(); }
};

/// An infer request of a compiled model, with tensors for its outputs. One execution at a time.
class BoundRequest {
 public:
  /// `ports` are those of the model as it was compiled.
  BoundRequest(Ports ports, Compiled compiled);

  void set_input(const ModelPort& port, const Tensor& tensor);
  void infer();
  /// The outputs of the last execution; those that are to be lent are replaced for the next one.
  std::vector<Produced> take_outputs();

 private:
  /// What the request writes an output into.
  struct Output {
    Handle<Tensor> tensor;
    std::vector<int64_t> unanswered;  // its shape before an execution
    size_t marked = 0;                // so many bytes begin with a mark then
    void* data = nullptr;
  };

  void renew_output(const ModelPort& port);
  void mark_outputs();
  void check_outputs() const;
  Produced read_output(const ModelPort& port) const;

  const Ports ports_;
  const bool open_;  // some size is not known
  const Compiled compiled_;
  Handle<InferRequest> request_;
  std::vector<Output> outputs_;
};

}  // namespace modelmill::ov
