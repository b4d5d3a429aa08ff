#include "schedule/input_rows.h"

#include <algorithm>
#include <cstring>

namespace modelmill {
namespace {

/// The bytes [from, to), sharing their memory.
Chunks slice(const Chunks& data, size_t from, size_t to) {
  Chunks out;
  size_t begin = 0;
  for (const Bytes& chunk : data) {
    const size_t first = std::max(from, begin);
    const size_t last = std::min(to, begin + chunk.size());
    if (first < last) out.push_back(chunk.slice(first - begin, last - first));
    begin += chunk.size();
  }
  return out;
}

}  // namespace

InputRows::InputRows(const Tensor& input, int64_t rows) : input_(input) {
  if (input.dtype != DataType::kBytes) {
    row_bytes_ = input.byte_size() / static_cast<size_t>(rows);
    return;
  }
  input_.data.assign(1, input.contiguous());
  row_strings_ = element_count(dims(input.shape)).value_or(0) / rows;
}

Tensor InputRows::next(int64_t rows) {
  Tensor out;
  out.name = input_.name;
  out.dtype = input_.dtype;
  out.shape = input_.shape;
  out.shape[0] = rows;
  const size_t end = input_.dtype == DataType::kBytes ? end_of_strings(rows * row_strings_)
                                                      : at_ + static_cast<size_t>(rows) * row_bytes_;
  out.data = slice(input_.data, at_, end);
  at_ = end;
  return out;
}

/// Where the next `count` strings end.
size_t InputRows::end_of_strings(int64_t count) const {
  const Bytes& bytes = input_.data.front();
  size_t at = at_;
  for (; count > 0 && bytes.size() - at >= sizeof(uint32_t); --count) {
    uint32_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof length);
    at += std::min(sizeof length + length, bytes.size() - at);
  }
  return at;
}

}  // namespace modelmill
