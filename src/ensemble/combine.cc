#include "ensemble/combine.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace modelmill {
namespace {

/// Elements that stay in the first cache while every member's are added.
constexpr size_t kBlock = 2'048;

template <typename T>
void add_scaled(T* __restrict to, const T* __restrict from, T factor, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

template <typename T>
void take_larger(T* __restrict to, const T* __restrict from, size_t count) {
  for (size_t i = 0; i < count; ++i) to[i] = (from[i] > to[i] || from[i] != from[i]) ? from[i] : to[i];
}

/// A member's elements as one aligned piece.
template <typename T>
class Elements {
 public:
  explicit Elements(const Tensor& tensor) : bytes_(tensor.contiguous()) {
    if (reinterpret_cast<uintptr_t>(bytes_.data()) % alignof(T) == 0) return;
    MemoryRef aligned = Memory::allocate(bytes_.size());
    std::memcpy(aligned->data(), bytes_.data(), bytes_.size());
    bytes_ = Bytes(std::move(aligned));
  }
  const T* data() const { return reinterpret_cast<const T*>(bytes_.data()); }
  size_t size() const { return bytes_.size() / sizeof(T); }

 private:
  Bytes bytes_;
};

template <typename T>
std::vector<Elements<T>> elements_of(std::span<const Tensor* const> tensors) {
  std::vector<Elements<T>> out;
  out.reserve(tensors.size());
  for (const Tensor* tensor : tensors) out.emplace_back(*tensor);
  return out;
}

template <typename T>
Bytes combine_numbers(Combiner combiner, std::span<const Tensor* const> tensors, std::span<const double> weights) {
  const std::vector<Elements<T>> from = elements_of<T>(tensors);
  const size_t count = from.front().size();
  MemoryRef memory = Memory::allocate(count * sizeof(T));
  T* const to = reinterpret_cast<T*>(memory->data());
  double sum = 0;
  for (size_t m = 0; m < from.size(); ++m) sum += combiner == Combiner::kAverage ? 1 : weights[m];
  for (size_t begin = 0; begin < count; begin += kBlock) {
    const size_t size = std::min(kBlock, count - begin);
    if (combiner == Combiner::kMax) {
      std::memcpy(to + begin, from[0].data() + begin, size * sizeof(T));
      for (size_t m = 1; m < from.size(); ++m) take_larger(to + begin, from[m].data() + begin, size);
      continue;
    }
    std::fill_n(to + begin, size, T{0});
    for (size_t m = 0; m < from.size(); ++m) {
      const double weight = combiner == Combiner::kAverage ? 1 : weights[m];
      if (weight > 0) add_scaled(to + begin, from[m].data() + begin, static_cast<T>(weight / sum), size);
    }
  }
  return Bytes(std::move(memory));
}

/// Which of the members' labels for one element has the most weight.
template <typename Label>
size_t winner(std::span<const Label> labels, std::span<const double> weights) {
  size_t best = 0;
  double most = -1;
  for (size_t m = 0; m < labels.size(); ++m) {
    double votes = 0;
    bool said_before = false;
    for (size_t other = 0; other < labels.size() && !said_before; ++other) {
      if (!(labels[other] == labels[m])) continue;
      said_before = other < m;
      votes += weights[other];
    }
    if (said_before || votes <= most) continue;
    best = m;
    most = votes;
  }
  return best;
}

template <typename T>
Bytes vote_numbers(std::span<const Tensor* const> tensors, std::span<const double> weights) {
  const std::vector<Elements<T>> from = elements_of<T>(tensors);
  const size_t count = from.front().size();
  MemoryRef memory = Memory::allocate(count * sizeof(T));
  T* const to = reinterpret_cast<T*>(memory->data());
  std::vector<T> labels(from.size());
  for (size_t i = 0; i < count; ++i) {
    for (size_t m = 0; m < from.size(); ++m) labels[m] = from[m].data()[i];
    to[i] = labels[winner<T>(labels, weights)];
  }
  return Bytes(std::move(memory));
}

/// Walks over strings as they are stored: a length, then so many bytes.
class Strings {
 public:
  explicit Strings(const Tensor& tensor) : bytes_(tensor.contiguous()) {}

  /// nullopt: what is left is no whole string.
  std::optional<std::string_view> next() {
    uint32_t length = 0;
    if (bytes_.size() - at_ < sizeof length) return std::nullopt;
    std::memcpy(&length, bytes_.data() + at_, sizeof length);
    at_ += sizeof length;
    if (bytes_.size() - at_ < length) return std::nullopt;
    const std::string_view text = bytes_.view().substr(at_, length);
    at_ += length;
    return text;
  }

 private:
  Bytes bytes_;
  size_t at_ = 0;
};

Result<Bytes> vote_strings(std::span<const Tensor* const> tensors, std::span<const double> weights, int64_t count) {
  std::vector<Strings> from;
  for (const Tensor* tensor : tensors) from.emplace_back(*tensor);
  std::vector<std::string_view> labels(from.size());
  std::string out;
  for (int64_t i = 0; i < count; ++i) {
    for (size_t m = 0; m < from.size(); ++m) {
      const auto text = from[m].next();
      if (!text) return internal("output '" + tensors[m]->name + "' has fewer strings than its shape says");
      labels[m] = *text;
    }
    const std::string_view chosen = labels[winner<std::string_view>(labels, weights)];
    const auto length = static_cast<uint32_t>(chosen.size());
    out.append(reinterpret_cast<const char*>(&length), sizeof length);
    out += chosen;
  }
  return Bytes::from_string(std::move(out));
}

Result<Bytes> vote(std::span<const Tensor* const> tensors, std::span<const double> weights, int64_t count) {
  if (tensors.front()->dtype == DataType::kBytes) return vote_strings(tensors, weights, count);
  switch (dtype_size(tensors.front()->dtype)) {
    case 1: return vote_numbers<uint8_t>(tensors, weights);
    case 2: return vote_numbers<uint16_t>(tensors, weights);
    case 4: return vote_numbers<uint32_t>(tensors, weights);
    default: return vote_numbers<uint64_t>(tensors, weights);
  }
}

template <typename T>
void find_largest(const Tensor& tensor, size_t classes, int64_t* to, size_t rows) {
  const Elements<T> from(tensor);
  for (size_t row = 0; row < rows; ++row) {
    const T* const begin = from.data() + row * classes;
    to[row] = std::max_element(begin, begin + classes) - begin;
  }
}

}  // namespace

Result<Tensor> combine(Combiner combiner, const std::string& name, std::span<const Tensor* const> tensors,
                       std::span<const double> weights) {
  const Tensor& first = *tensors.front();
  for (const Tensor* tensor : tensors)
    if (tensor->dtype != first.dtype || tensor->shape != first.shape)
      return invalid_argument("output '" + name + "' can't be combined: members gave " +
                              std::string(dtype_name(first.dtype)) + ' ' + shape_text(dims(first.shape)) + " and " +
                              std::string(dtype_name(tensor->dtype)) + ' ' + shape_text(dims(tensor->shape)));
  Tensor out{name, first.dtype, first.shape, {}};
  if (combiner == Combiner::kMajority) {
    MM_ASSIGN_OR_RETURN(Bytes bytes, vote(tensors, weights, element_count(dims(first.shape)).value_or(0)));
    out.data.push_back(std::move(bytes));
  } else if (first.dtype == DataType::kFp64) {
    out.data.push_back(combine_numbers<double>(combiner, tensors, weights));
  } else if (first.dtype == DataType::kFp32) {
    out.data.push_back(combine_numbers<float>(combiner, tensors, weights));
  } else {
    return internal("output '" + name + "' has the type " + std::string(dtype_name(first.dtype)) +
                    ", which can't be combined so");
  }
  return out;
}

Tensor largest_class(const std::string& name, const Tensor& probabilities) {
  Tensor out{name, DataType::kInt64, probabilities.shape, {}};
  const auto classes = static_cast<size_t>(out.shape.back());
  out.shape.pop_back();
  const auto rows = static_cast<size_t>(element_count(dims(out.shape)).value_or(0));
  MemoryRef memory = Memory::allocate(rows * sizeof(int64_t));
  auto* const to = reinterpret_cast<int64_t*>(memory->data());
  if (classes == 0)
    std::fill_n(to, rows, 0);
  else if (probabilities.dtype == DataType::kFp64)
    find_largest<double>(probabilities, classes, to, rows);
  else
    find_largest<float>(probabilities, classes, to, rows);
  out.data.push_back(Bytes(std::move(memory)));
  return out;
}

}  // namespace modelmill
