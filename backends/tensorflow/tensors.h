#pragma once

#include <array>
#include <string>
#include <vector>

#include "tf_api.h"

namespace modelmill::tensorflow {

/// An output as it came out of a run.
struct Produced {
  const char* name;
  mm_dtype dtype;
  uint32_t rank;
  std::array<int64_t, backend::kMaxRank> sizes;
  const void* data = nullptr;     // null for strings
  std::vector<uint64_t> offsets;  // strings: where each begins, and the end
  std::string bytes;
  bool aliased = false;  // the memory is an input's

  std::span<const int64_t> shape() const { return {sizes.data(), rank}; }
  uint64_t byte_size() const { return backend::element_count(shape()) * backend::element_size(dtype); }
};

/// A tensor on memory that stays as it is until the tensor is deleted. TensorFlow copies what it finds unaligned.
Handle<TF_Tensor> borrow_tensor(DataType type, std::span<const int64_t> shape, const void* data, size_t size);

/// A tensor of strings, in order, with copies of them; they go with its last user, be it in the graph.
class StringTensor {
 public:
  explicit StringTensor(std::span<const int64_t> shape);
  StringTensor(const StringTensor&) = delete;
  StringTensor& operator=(const StringTensor&) = delete;
  ~StringTensor();

  /// As many as the shape has elements.
  void add(std::string_view text);
  Handle<TF_Tensor> take();

 private:
  const std::vector<int64_t> shape_;
  const size_t count_;
  size_t at_ = 0;
  TF_TString* strings_;
};

/// Describes an output, and reads it if it is of strings. `name` must outlive what is returned, `value` its data.
Produced read_output(const char* name, const TF_Tensor* value);

}  // namespace modelmill::tensorflow
