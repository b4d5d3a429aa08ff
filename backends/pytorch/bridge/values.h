#pragma once

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>

#include <optional>

#include "pytorch/bridge.h"

namespace modelmill::pytorch {

/// The ABI's type for torch's; MM_DTYPE_INVALID for those that the protocols lack.
mm_dtype from_torch(at::ScalarType type);

/// A tensor on an input's memory.
at::Tensor borrow_tensor(const InputValue& input);

/// Outputs in the making.
class TorchOutputs final : public Outputs {
 public:
  /// `lend`: memory that is a value's alone may be lent.
  explicit TorchOutputs(bool lend) : lend_(lend) {}

  /// Takes a value apart: tensors, numbers, lists of strings, and tuples, lists and dictionaries of them. `key` names
  /// it in what it was part of. Throws Error for what can't be answered.
  void add(const std::string& key, const c10::IValue& value);

 private:
  void add_tensor(const std::string& key, const at::Tensor& tensor);
  void add_list(const std::string& key, const c10::IValue& value);
  void add_tuple(const std::string& key, const c10::IValue& value);

  const bool lend_;
  std::vector<at::Tensor> tensors_;
};

/// Settles how many threads the operators that this thread calls use.
void use_threads(int count);

/// Runs `body`; what torch throws becomes an Error with its message, without the stack of its C++.
[[noreturn]] void rethrow_as_error(const std::string& context);

template <typename F>
auto translated(const std::string& context, F&& body) {
  try {
    return body();
  } catch (...) {
    rethrow_as_error(context);
  }
}

}  // namespace modelmill::pytorch
