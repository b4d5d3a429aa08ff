#include "tensors.h"

#include <cstdlib>
#include <new>

namespace modelmill::tensorflow {
namespace {

using backend::Error;

void keep(void*, size_t, void*) {}

void free_strings(void* data, size_t size, void*) {
  auto* strings = static_cast<TF_TString*>(data);
  for (size_t i = 0; i < size / sizeof(TF_TString); ++i) api.StringDealloc(&strings[i]);
  std::free(data);
}

void read_strings(const TF_Tensor* value, Produced& out) {
  const size_t count = backend::element_count(out.shape());
  const auto* strings = static_cast<const TF_TString*>(api.TensorData(value));
  if (count > 0 && api.TensorByteSize(value) < count * sizeof(TF_TString))
    throw Error(MM_INTERNAL, "output '" + std::string(out.name) + "' has fewer strings than its shape tells");
  size_t size = 0;
  for (size_t i = 0; i < count; ++i) size += api.StringGetSize(&strings[i]);
  out.bytes.reserve(size);
  out.offsets.reserve(count + 1);
  for (size_t i = 0; i < count; ++i) {
    out.offsets.push_back(out.bytes.size());
    out.bytes.append(api.StringGetDataPointer(&strings[i]), api.StringGetSize(&strings[i]));
  }
  out.offsets.push_back(out.bytes.size());
}

}  // namespace

Handle<TF_Tensor> borrow_tensor(DataType type, std::span<const int64_t> shape, const void* data, size_t size) {
  const int rank = static_cast<int>(shape.size());
  TF_Tensor* const made = size == 0
                              ? api.AllocateTensor(type, shape.data(), rank, 0)
                              : api.NewTensor(type, shape.data(), rank, const_cast<void*>(data), size, &keep, nullptr);
  if (made == nullptr) throw std::bad_alloc();
  return Handle<TF_Tensor>(made);
}

StringTensor::StringTensor(std::span<const int64_t> shape)
    : shape_(shape.begin(), shape.end()), count_(backend::element_count(shape)) {
  const size_t size = (count_ * sizeof(TF_TString) + backend::kAlignment) / backend::kAlignment * backend::kAlignment;
  strings_ = static_cast<TF_TString*>(std::aligned_alloc(backend::kAlignment, size));
  if (strings_ == nullptr) throw std::bad_alloc();
  for (size_t i = 0; i < count_; ++i) api.StringInit(&strings_[i]);
}

StringTensor::~StringTensor() {
  if (strings_ != nullptr) free_strings(strings_, count_ * sizeof(TF_TString), nullptr);
}

void StringTensor::add(std::string_view text) {
  if (at_ < count_) api.StringCopy(&strings_[at_++], text.data(), text.size());
}

Handle<TF_Tensor> StringTensor::take() {
  TF_Tensor* const made = api.NewTensor(DataType::kString, shape_.data(), static_cast<int>(shape_.size()), strings_,
                                        count_ * sizeof(TF_TString), &free_strings, nullptr);
  if (made == nullptr) throw std::bad_alloc();
  strings_ = nullptr;
  return Handle<TF_Tensor>(made);
}

Produced read_output(const char* name, const TF_Tensor* value) {
  if (value == nullptr) throw Error(MM_INTERNAL, "output '" + std::string(name) + "' came without a tensor");
  Produced out;
  out.name = name;
  out.dtype = from_tf(api.TensorType(value));
  const int rank = api.NumDims(value);
  if (out.dtype == MM_DTYPE_INVALID || rank < 0 || rank > static_cast<int>(backend::kMaxRank))
    throw Error(MM_INTERNAL, "output '" + std::string(name) + "' came with a type or rank that can't be answered");
  out.rank = static_cast<uint32_t>(rank);
  for (int i = 0; i < rank; ++i) out.sizes[static_cast<size_t>(i)] = api.Dim(value, i);
  if (out.dtype == MM_STRING) {
    read_strings(value, out);
  } else {
    out.data = api.TensorData(value);
    if (api.TensorByteSize(value) < out.byte_size())
      throw Error(MM_INTERNAL, "output '" + std::string(name) + "' has fewer bytes than its shape tells");
  }
  return out;
}

}  // namespace modelmill::tensorflow
