#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"
#include "dialect/kserve_v2/shared_regions.h"
#include "request/infer_request.h"

namespace modelmill::kserve_v2 {

/// What of one request lies in shared memory: the inputs that are read there before it is checked, and the places that
/// its outputs are written to. A value; not synchronised.
class SharedTensors {
 public:
  /// Null: there are no regions.
  explicit SharedTensors(const SharedRegions* regions = nullptr) : regions_(regions) {}

  /// The data of the input at this place among the request's lies there. An error is the client's.
  Status add_input(size_t place, const std::string& region, uint64_t offset, uint64_t size);
  /// The output of that name goes there.
  Status add_output(std::string output, const std::string& region, uint64_t offset, uint64_t size);

  /// What read_inputs() copies.
  size_t input_bytes() const { return input_bytes_; }

  /// Gives the inputs their data: copies, which nobody can change while they are checked and used.
  Status read_inputs(InferRequest& request) const;
  /// Writes the outputs to their places; in `response` they keep no data.
  Status write_outputs(InferResponse& response) const;

 private:
  Result<SharedSlice> find(const std::string& region, uint64_t offset, uint64_t size) const;
  const SharedSlice* find_output(std::string_view name) const;

  const SharedRegions* regions_;
  std::vector<std::pair<size_t, SharedSlice>> inputs_;
  std::vector<std::pair<std::string, SharedSlice>> outputs_;
  size_t input_bytes_ = 0;
};

/// The three parameters by which a tensor is said to lie in shared memory, as they come one by one, in any order.
class SharedParameters {
 public:
  /// True for the name of one of them.
  static bool knows(std::string_view name);
  /// Takes one that knows() is true for. `value` null: it has none.
  void set(std::string_view name, const ParameterValue* value);
  /// INVALID_ARGUMENT, in Triton's words, for what is of a wrong type or has no meaning by itself. `tensor`: whose
  /// they are.
  Status check(std::string_view tensor) const;

  bool given() const { return has_region_; }
  const std::string& region() const { return region_; }
  uint64_t offset() const { return offset_; }
  uint64_t size() const { return size_; }

 private:
  std::string region_;
  uint64_t offset_ = 0;
  uint64_t size_ = 0;
  bool has_region_ = false;
  bool has_offset_ = false;
  bool has_size_ = false;
  std::string_view wrong_;  // the first that is of a wrong type
};

}  // namespace modelmill::kserve_v2
