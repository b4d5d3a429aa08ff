#include "dialect/kserve_v2/infer_response_codec.h"

#include <bit>
#include <charconv>
#include <string>

#include "dialect/proto_wire.h"

namespace modelmill::kserve_v2 {
namespace {

/// Below this the tensors are copied beside the head: one piece costs the wire less than the copy costs us.
constexpr size_t kInlineBytes = 1024;

/// The sizes of the length-delimited messages inside, found on the way down and used on the way out.
struct Sizes {
  boost::container::small_vector<size_t, 4> outputs;
  boost::container::small_vector<size_t, 4> raw;
  size_t raw_total = 0;
  size_t message = 0;  // the ModelInferResponse
};

size_t parameter_size(const ParameterValue& value) {
  return std::visit(
      [](const auto& v) -> size_t {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, bool>) return 2;
        if constexpr (std::is_same_v<T, int64_t> || std::is_same_v<T, uint64_t>) {
          return 1 + varint_size(static_cast<uint64_t>(v));
        }
        if constexpr (std::is_same_v<T, double>) return 9;
        if constexpr (std::is_same_v<T, std::string>) return bytes_field_size(v.size());
      },
      value);
}

void write_parameter(ProtoWriter& out, const ParameterValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) {
    out.tag(1, WireType::kVarint);
    out.varint(*flag ? 1 : 0);
  } else if (const auto* number = std::get_if<int64_t>(&value)) {
    out.tag(2, WireType::kVarint);
    out.varint(static_cast<uint64_t>(*number));
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    out.bytes(3, *text);
  } else if (const auto* real = std::get_if<double>(&value)) {
    out.tag(4, WireType::kFixed64);
    out.fixed64(std::bit_cast<uint64_t>(*real));
  } else if (const auto* large = std::get_if<uint64_t>(&value)) {
    out.tag(5, WireType::kVarint);
    out.varint(*large);
  }
}

size_t entry_size(const std::string& name, const ParameterValue& value) {
  return bytes_field_size(name.size()) + bytes_field_size(parameter_size(value));
}

size_t shape_size(const Shape& shape) {
  size_t size = 0;
  for (const int64_t d : shape) size += varint_size(static_cast<uint64_t>(d));
  return size;
}

/// proto3 leaves out what is empty.
size_t optional_field_size(size_t length) { return length == 0 ? 0 : bytes_field_size(length); }
void write_optional(ProtoWriter& out, uint32_t field, std::string_view text) {
  if (!text.empty()) out.bytes(field, text);
}

/// Entries of a map<string, InferParameter>.
size_t parameters_size(const Parameters& parameters) {
  size_t size = 0;
  for (const auto& [name, value] : parameters) size += bytes_field_size(entry_size(name, value));
  return size;
}

void write_parameters(ProtoWriter& out, const Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    out.length_prefix(4, entry_size(name, value));
    out.bytes(1, name);
    out.length_prefix(2, parameter_size(value));
    write_parameter(out, value);
  }
}

/// Of the output at this place.
const Parameters& parameters_of(const ResponseHead& head, size_t place) {
  static const Parameters kNone;
  return place < head.outputs.size() ? head.outputs[place] : kNone;
}

size_t output_size(const Tensor& tensor, const Parameters& parameters) {
  return optional_field_size(tensor.name.size()) + bytes_field_size(dtype_name(tensor.dtype).size()) +
         optional_field_size(shape_size(tensor.shape)) + parameters_size(parameters);
}

void write_output(ProtoWriter& out, const Tensor& tensor, const Parameters& parameters, size_t size) {
  out.length_prefix(5, size);
  write_optional(out, 1, tensor.name);
  out.bytes(2, dtype_name(tensor.dtype));
  if (!tensor.shape.empty()) {
    out.length_prefix(3, shape_size(tensor.shape));
    for (const int64_t d : tensor.shape) out.varint(static_cast<uint64_t>(d));
  }
  write_parameters(out, parameters);
}

struct VersionText {
  char text[20];
  size_t size = 0;
  std::string_view given;
  explicit VersionText(const ResponseHead& head) : given(head.version_text) {
    if (head.version != 0) size = std::to_chars(text, text + sizeof text, head.version).ptr - text;
  }
  std::string_view view() const { return given.empty() ? std::string_view(text, size) : given; }
};

Sizes measure(const InferResponse& response, const ResponseHead& head, std::string_view version) {
  Sizes sizes;
  sizes.message = optional_field_size(head.model.size()) + optional_field_size(version.size()) +
                  optional_field_size(head.id.size());
  sizes.message += parameters_size(response.parameters);
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    const Tensor& tensor = response.outputs[i];
    sizes.outputs.push_back(output_size(tensor, parameters_of(head, i)));
    sizes.raw.push_back(tensor.byte_size());
    sizes.raw_total += sizes.raw.back();
    sizes.message += bytes_field_size(sizes.outputs.back()) + bytes_field_size(sizes.raw.back());
  }
  return sizes;
}

void write_head(ProtoWriter& out, const InferResponse& response, const ResponseHead& head, std::string_view version,
                const Sizes& sizes) {
  write_optional(out, 1, head.model);
  write_optional(out, 2, version);
  write_optional(out, 3, head.id);
  write_parameters(out, response.parameters);
  for (size_t i = 0; i < response.outputs.size(); ++i)
    write_output(out, response.outputs[i], parameters_of(head, i), sizes.outputs[i]);
}

/// Writes the message behind `prefix` bytes that `write_prefix` writes.
template <typename WritePrefix>
Chunks encode(const InferResponse& response, const ResponseHead& head, std::string_view version, const Sizes& sizes,
              size_t prefix, WritePrefix write_prefix) {
  const bool inlined = sizes.raw_total <= kInlineBytes;
  MemoryRef memory = Memory::allocate(prefix + sizes.message - (inlined ? 0 : sizes.raw_total));
  ProtoWriter out(memory->data());
  write_prefix(out);
  write_head(out, response, head, version, sizes);
  Chunks chunks;
  const std::byte* piece = memory->data();
  for (size_t i = 0; i < response.outputs.size(); ++i) {
    out.length_prefix(6, sizes.raw[i]);
    if (inlined) {
      for (const Bytes& chunk : response.outputs[i].data) out.raw(chunk.view());
      continue;
    }
    if (sizes.raw[i] == 0) continue;
    chunks.emplace_back(memory, piece, static_cast<size_t>(out.at() - piece));
    piece = out.at();
    for (const Bytes& chunk : response.outputs[i].data) {
      if (!chunk.empty()) chunks.push_back(chunk);
    }
  }
  if (out.at() != piece) chunks.emplace_back(memory, piece, static_cast<size_t>(out.at() - piece));
  return chunks;
}

}  // namespace

Chunks encode_infer_response(const InferResponse& response, const ResponseHead& head) {
  const VersionText version(head);
  const Sizes sizes = measure(response, head, version.view());
  return encode(response, head, version.view(), sizes, 0, [](ProtoWriter&) {});
}

Chunks encode_stream_response(const InferResponse& response, const ResponseHead& head, std::string_view error) {
  const VersionText version(head);
  const Sizes sizes = measure(response, head, version.view());
  const size_t prefix = optional_field_size(error.size()) + 1 + varint_size(sizes.message);
  return encode(response, head, version.view(), sizes, prefix, [&](ProtoWriter& out) {
    write_optional(out, 1, error);
    out.length_prefix(2, sizes.message);
  });
}

}  // namespace modelmill::kserve_v2
