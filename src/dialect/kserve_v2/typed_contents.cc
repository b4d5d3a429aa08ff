#include "dialect/kserve_v2/typed_contents.h"

#include <cstring>
#include <string>

#include "dialect/proto_wire.h"

namespace modelmill::kserve_v2 {
namespace {

/// InferTensorContents' fields.
enum Field : uint32_t {
  kBool = 1,
  kInt = 2,
  kInt64 = 3,
  kUint = 4,
  kUint64 = 5,
  kFp32 = 6,
  kFp64 = 7,
  kBytesField = 8
};

/// The field that carries a dtype; 0 for those that only travel raw (FP16, BF16).
uint32_t field_of(DataType dtype) {
  switch (dtype) {
    case DataType::kBool: return kBool;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32: return kInt;
    case DataType::kInt64: return kInt64;
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32: return kUint;
    case DataType::kUint64: return kUint64;
    case DataType::kFp32: return kFp32;
    case DataType::kFp64: return kFp64;
    case DataType::kBytes: return kBytesField;
    default: return 0;
  }
}

DataType dtype_of(uint32_t field) {
  switch (field) {
    case kBool: return DataType::kBool;
    case kInt: return DataType::kInt32;
    case kInt64: return DataType::kInt64;
    case kUint: return DataType::kUint32;
    case kUint64: return DataType::kUint64;
    case kFp32: return DataType::kFp32;
    case kFp64: return DataType::kFp64;
    case kBytesField: return DataType::kBytes;
    default: return DataType::kInvalid;
  }
}

struct Counted {
  size_t elements = 0;
  size_t string_bytes = 0;
  uint32_t field = 0;  // the one that has elements
  bool mixed = false;
  bool ok = true;
};

size_t count_varints(std::string_view packed) {
  size_t n = 0;
  for (const char c : packed) n += (c & 0x80) == 0;
  return n;
}

Counted count(std::string_view contents) {
  Counted counted;
  ProtoReader reader(contents);
  while (reader.next()) {
    const uint32_t field = reader.field();
    if (field < kBool || field > kBytesField) continue;
    size_t elements = 1;
    if (reader.type() == WireType::kBytes && field != kBytesField) {
      const size_t width = field == kFp32 ? 4 : field == kFp64 ? 8 : 0;
      if (width != 0 && reader.bytes().size() % width != 0) counted.ok = false;
      elements = width == 0 ? count_varints(reader.bytes()) : reader.bytes().size() / width;
    } else if (field == kBytesField) {
      counted.string_bytes += reader.bytes().size();
    }
    if (elements == 0) continue;
    if (counted.field != 0 && counted.field != field) counted.mixed = true;
    counted.field = field;
    counted.elements += elements;
  }
  counted.ok = counted.ok && reader.ok();
  return counted;
}

/// Writes elements of `width` bytes, never past the end of the memory made for them.
class ElementWriter {
 public:
  ElementWriter(Memory& memory, size_t width) : at_(memory.data()), end_(at_ + memory.size()), width_(width) {}
  bool put(uint64_t value) {
    if (static_cast<size_t>(end_ - at_) < width_) return false;
    std::memcpy(at_, &value, width_);
    at_ += width_;
    return true;
  }
  bool put_block(std::string_view block) {
    if (static_cast<size_t>(end_ - at_) < block.size()) return false;
    if (!block.empty()) std::memcpy(at_, block.data(), block.size());
    at_ += block.size();
    return true;
  }
  bool full() const { return at_ == end_; }

 private:
  std::byte* at_;
  std::byte* end_;
  size_t width_;
};

bool copy_field(const ProtoReader& reader, DataType dtype, ElementWriter& out) {
  const bool is_bool = dtype == DataType::kBool;
  if (dtype == DataType::kBytes) {
    const auto length = static_cast<uint32_t>(reader.bytes().size());
    return out.put(length) && out.put_block(reader.bytes());
  }
  if (reader.type() != WireType::kBytes) return out.put(is_bool ? reader.value() != 0 : reader.value());
  if (dtype == DataType::kFp32 || dtype == DataType::kFp64) return out.put_block(reader.bytes());
  PackedVarints packed(reader.bytes());
  uint64_t value = 0;
  while (packed.next(value)) {
    if (!out.put(is_bool ? value != 0 : value)) return false;
  }
  return packed.ok();
}

/// The wire type that a field's single elements have.
WireType element_type(uint32_t field) {
  if (field == kFp32) return WireType::kFixed32;
  if (field == kFp64) return WireType::kFixed64;
  return field == kBytesField ? WireType::kBytes : WireType::kVarint;
}

}  // namespace

Result<Bytes> decode_typed_contents(std::string_view contents, const Tensor& tensor, std::string_view model) {
  const auto about = [&] { return "input tensor '" + tensor.name + "' for model '" + std::string(model) + "'"; };
  const auto garbage = [&] { return invalid_argument("the contents of " + about() + " do not parse as protobuf"); };
  const Counted counted = count(contents);
  if (!counted.ok) return garbage();
  if (counted.mixed) {
    return invalid_argument("unexpected explicit tensor data for " + about() + ", binary data was already supplied.");
  }
  if (counted.elements == 0) return Bytes();
  if (counted.field != field_of(tensor.dtype)) {
    return invalid_argument("unexpected explicit tensor data for " + about() + " of type '" +
                            std::string(dtype_name(dtype_of(counted.field))) + "', expected datatype '" +
                            std::string(dtype_name(tensor.dtype)) + "'" +
                            (field_of(tensor.dtype) == 0 ? "; send such tensors in raw_input_contents" : ""));
  }
  const bool strings = tensor.dtype == DataType::kBytes;
  const size_t width = strings ? sizeof(uint32_t) : dtype_size(tensor.dtype);
  MemoryRef memory = Memory::allocate(counted.elements * width + (strings ? counted.string_bytes : 0));
  ElementWriter out(*memory, width);
  ProtoReader reader(contents);
  while (reader.next()) {
    if (reader.field() != counted.field) continue;
    if (reader.type() != WireType::kBytes && reader.type() != element_type(counted.field)) return garbage();
    if (strings && reader.type() != WireType::kBytes) return garbage();
    if (!copy_field(reader, tensor.dtype, out)) return garbage();
  }
  if (!out.full()) return garbage();
  return Bytes(std::move(memory));
}

}  // namespace modelmill::kserve_v2
