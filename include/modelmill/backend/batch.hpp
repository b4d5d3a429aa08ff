// Part of modelmill/backend.hpp: requests to one batch, and the batch's outputs back to the requests.
#ifndef MODELMILL_BACKEND_BATCH_HPP_
#define MODELMILL_BACKEND_BATCH_HPP_

#include <algorithm>
#include <array>

#include "request.hpp"

namespace modelmill::backend {

/// An input of all requests as one tensor: their rows one after another along the first dimension.
struct GatheredInput {
  mm_dtype dtype = MM_DTYPE_INVALID;
  uint32_t rank = 0;
  std::array<int64_t, kMaxRank> sizes{};
  const void* data = nullptr;
  uint64_t byte_size = 0;

  std::span<const int64_t> shape() const { return {sizes.data(), rank}; }
};

/// Checks that the requests fit together and adds up their rows. The data is left empty.
inline GatheredInput gathered_shape(const Execution& execution, std::string_view name, uint32_t hint) {
  GatheredInput out;
  for (const Request& request : execution) {
    const mm_tensor tensor = request.input(name, hint);
    out.byte_size += tensor.byte_size;
    if (&request == execution.begin()) {
      out.dtype = tensor.dtype;
      out.rank = tensor.rank;
      std::copy_n(tensor.shape, tensor.rank, out.sizes.begin());
      continue;
    }
    const bool fits = tensor.dtype == out.dtype && tensor.rank == out.rank && out.rank > 0 &&
                      std::equal(tensor.shape + 1, tensor.shape + tensor.rank, out.sizes.begin() + 1);
    if (!fits)
      throw Error(MM_INTERNAL, "input '" + std::string(name) + "' with shape " +
                                   shape_text({tensor.shape, tensor.rank}) + " can't be batched with shape " +
                                   shape_text(out.shape()));
    out.sizes[0] += tensor.shape[0];
  }
  return out;
}

/// The bytes of a tensor that is not of strings as one piece, aligned for its type: as they came where that is
/// possible, else copied to `buffer`.
inline const void* contiguous(const mm_tensor& tensor, Buffer& buffer) {
  const size_t alignment = std::max<size_t>(element_size(tensor.dtype), 1);
  if (tensor.chunk_count == 1 && tensor.chunks[0].data != nullptr &&
      reinterpret_cast<uintptr_t>(tensor.chunks[0].data) % alignment == 0)
    return tensor.chunks[0].data;
  std::byte* const begin = buffer.reserve(tensor.byte_size);
  std::byte* to = begin;
  for (uint32_t i = 0; i < tensor.chunk_count; ++i) {
    if (tensor.chunks[i].size > 0) std::memcpy(to, tensor.chunks[i].data, tensor.chunks[i].size);
    to += tensor.chunks[i].size;
  }
  return begin;
}

/// Gathers an input of any type but strings. One request with one chunk whose address fits the element's alignment is
/// given as it is; else the bytes are copied, once, to `buffer`. Lives until the first final answer.
inline GatheredInput gather(const Execution& execution, std::string_view name, Buffer& buffer, uint32_t hint = 0) {
  GatheredInput out = gathered_shape(execution, name, hint);
  if (execution.size() == 1) {
    out.data = contiguous(execution[0].input(name, hint), buffer);
    return out;
  }
  std::byte* to = buffer.reserve(out.byte_size);
  out.data = to;
  for (const Request& request : execution) {
    const mm_tensor tensor = request.input(name, hint);
    for (uint32_t i = 0; i < tensor.chunk_count; ++i) {
      if (tensor.chunks[i].size > 0) std::memcpy(to, tensor.chunks[i].data, tensor.chunks[i].size);
      to += tensor.chunks[i].size;
    }
  }
  return out;
}

/// A string input of one request, element by element.
inline std::vector<std::string_view> string_views(const mm_tensor& tensor, std::string& storage) {
  const char* bytes = tensor.chunk_count > 0 ? static_cast<const char*>(tensor.chunks[0].data) : "";
  if (tensor.chunk_count > 1) {
    storage.clear();
    for (uint32_t i = 0; i < tensor.chunk_count; ++i)
      storage.append(static_cast<const char*>(tensor.chunks[i].data), tensor.chunks[i].size);
    bytes = storage.data();
  }
  std::vector<std::string_view> out;
  out.reserve(tensor.element_count);
  for (uint64_t i = 0; i < tensor.element_count; ++i)
    out.emplace_back(bytes + tensor.offsets[i], tensor.offsets[i + 1] - tensor.offsets[i]);
  return out;
}

/// An output of a whole batch, of any type but strings.
struct BatchOutput {
  const char* name;
  mm_dtype dtype;
  std::span<const int64_t> shape;
  const void* data;
  /// The memory can't be lent (it is an input's, say): copy whatever the size.
  bool copy = false;
};

/// The rows that belong to request `index`, and where they begin.
struct RowRange {
  int64_t first;
  int64_t count;
};

/// Cuts an execution's rows into one range for each request. For a single request `rows` need not be the batch's size.
class RowCutter {
 public:
  explicit RowCutter(const Execution& execution) : single_(execution.size() == 1) {
    if (single_) return;
    for (const Request& request : execution) ends_.push_back(total_ += rows_of(request));
  }
  /// Throws when an output of a batch of several does not have a row for each row of the inputs.
  void check_output(const char* name, std::span<const int64_t> shape) const {
    if (!single_ && (shape.empty() || shape[0] != total_))
      throw Error(MM_INTERNAL, "output '" + std::string(name) + "' has shape " + shape_text(shape) +
                                   " for a batch of " + std::to_string(total_) + " rows: the model can't be batched");
  }
  bool single() const { return single_; }
  RowRange range(uint32_t index) const {
    const int64_t first = index == 0 ? 0 : ends_[index - 1];
    return {first, ends_[index] - first};
  }

 private:
  /// What the tensors have: a request of none counts as a row in the host's queue.
  static int64_t rows_of(const Request& request) {
    const mm_request_info info = request.info();
    if (info.input_count == 0) return static_cast<int64_t>(info.rows);
    const mm_tensor first = request.input(0);
    return first.rank > 0 ? first.shape[0] : static_cast<int64_t>(info.rows);
  }

  bool single_;
  std::vector<int64_t> ends_;
  int64_t total_ = 0;
};

/// Slices smaller than this are copied: cheaper than a count shared between threads, and the batch's memory is free
/// sooner.
inline constexpr uint64_t kCopyBelow = 1024;

/// Puts request `index`'s rows of an output into its response: copied when small, else lent without a copy while
/// `owner` keeps the batch's memory alive.
inline void put_slice(Response& response, const RowCutter& cutter, uint32_t index, const BatchOutput& output,
                      const Owner& owner) {
  std::array<int64_t, kMaxRank> sizes;
  std::copy(output.shape.begin(), output.shape.end(), sizes.begin());
  const std::span<const int64_t> shape(sizes.data(), output.shape.size());
  const auto* data = static_cast<const std::byte*>(output.data);
  if (!cutter.single()) {
    const RowRange rows = cutter.range(index);
    sizes[0] = 1;
    const uint64_t row_bytes = element_count(shape) * element_size(output.dtype);
    sizes[0] = rows.count;
    data += static_cast<uint64_t>(rows.first) * row_bytes;
  }
  const uint64_t bytes = element_count(shape) * element_size(output.dtype);
  if (bytes >= kCopyBelow && !output.copy) return response.adopt(output.name, output.dtype, shape, data, owner);
  void* to = response.allocate(output.name, output.dtype, shape);
  if (bytes > 0) std::memcpy(to, data, bytes);
}

/// Answers every request with its rows of `outputs`, leaving out those that it does not want. What goes wrong with one
/// request is its own error.
inline void respond_slices(Execution& execution, std::span<const BatchOutput> outputs, const Owner& owner) {
  const RowCutter cutter(execution);
  for (const BatchOutput& output : outputs) cutter.check_output(output.name, output.shape);
  for (uint32_t i = 0; i < execution.size(); ++i) {
    Request& request = execution[i];
    try {
      Response response = request.respond();
      for (const BatchOutput& output : outputs)
        if (request.wants(output.name)) put_slice(response, cutter, i, output, owner);
      response.send();
    } catch (...) {
      request.fail(current_error());
    }
  }
}

}  // namespace modelmill::backend

#endif  // MODELMILL_BACKEND_BATCH_HPP_
