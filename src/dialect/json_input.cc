#include "dialect/json_input.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "tensor/float16.h"

namespace modelmill {
namespace {

namespace dom = simdjson::dom;

/// Deeper than any tensor, and shallow enough for the stack.
constexpr int kMaxDepth = 100;
/// A thread keeps buffers for documents up to this.
constexpr size_t kKeptCapacity = size_t{1} << 20;

/// Whether NaN, Infinity or -Infinity stands at `at`: its name, or empty.
std::string_view special_at(std::string_view text, size_t at) {
  for (const std::string_view special :
       {std::string_view("NaN"), std::string_view("Infinity"), std::string_view("-Infinity")})
    if (text.compare(at, special.size(), special) == 0) return special;
  return {};
}

/// The text with bare NaN and Infinity put in quotes; nullopt when there are none. Text that is no JSON at all comes
/// here too, in any amount, so what stands between is stepped over.
std::optional<std::string> quote_special_numbers(std::string_view text) {
  if (text.find("NaN") == std::string_view::npos && text.find("Infinity") == std::string_view::npos)
    return std::nullopt;
  std::string out;
  size_t copied = 0;
  bool in_string = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') {
      in_string = !in_string;
    } else if (in_string) {
      if (c == '\\') ++at;
    } else if (c == 'N' || c == 'I' || c == '-') {
      const std::string_view special = special_at(text, at);
      if (special.empty()) continue;
      out.append(text.substr(copied, at - copied)).append("\"").append(special).append("\"");
      copied = at + special.size();
      at = copied - 1;
    }
  }
  if (copied == 0) return std::nullopt;
  out.append(text.substr(copied));
  return out;
}

/// A value as a short text for messages.
std::string shown(dom::element value) {
  std::string text = simdjson::minify(value);
  if (text.size() > 40) text = text.substr(0, 37) + "...";
  return text;
}

template <typename T>
std::optional<T> special_number(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<T>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<T>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<T>::infinity();
  return std::nullopt;
}

template <typename T>
std::optional<T> as_real(dom::element value) {
  double number = 0;
  if (value.get_double().get(number) == simdjson::SUCCESS) return static_cast<T>(number);
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) return special_number<T>(text);
  return std::nullopt;
}

template <typename T>
std::optional<T> as_integer(dom::element value, JsonNumbers numbers) {
  if (value.is_int64()) {
    const int64_t number = value.get_int64().value_unsafe();
    if (std::in_range<T>(number)) return static_cast<T>(number);
    return std::nullopt;
  }
  if (value.is_uint64()) {
    const uint64_t number = value.get_uint64().value_unsafe();
    if (std::in_range<T>(number)) return static_cast<T>(number);
    return std::nullopt;
  }
  if (numbers == JsonNumbers::kExact || !value.is_double()) return std::nullopt;
  const double number = value.get_double().value_unsafe();
  if (number != std::floor(number) || number < static_cast<double>(std::numeric_limits<T>::min()) ||
      number >= std::ldexp(1.0, std::numeric_limits<T>::digits)) {
    return std::nullopt;
  }
  return static_cast<T>(number);
}

std::optional<uint8_t> as_bool(dom::element value, JsonNumbers numbers) {
  bool flag = false;
  if (value.get_bool().get(flag) == simdjson::SUCCESS) return flag ? 1 : 0;
  if (numbers == JsonNumbers::kExact) return std::nullopt;
  const auto number = as_integer<uint8_t>(value, numbers);
  return number && *number <= 1 ? number : std::nullopt;
}

/// Walks nested arrays, giving each value to `put`, which returns false for a value that does not fit. Arrays that were
/// set aside go to put.floats() as a whole, if it has that, or else are parsed after all.
template <typename Put>
class Walker {
 public:
  Walker(Put put, int64_t expected, const NumberArrays* apart) : put_(put), expected_(expected), apart_(apart) {}

  Status walk(dom::element value, int depth = 0) {
    dom::array items;
    if (value.get_array().get(items) != simdjson::SUCCESS) return put(value);
    if (depth == kMaxDepth) {
      return invalid_argument("JSON nesting depth exceeds maximum allowed limit (" + std::to_string(kMaxDepth) + ")");
    }
    for (const dom::element item : items) {
      MM_RETURN_IF_ERROR(item.is_array() ? walk(item, depth + 1) : put(item));
    }
    return ok_status();
  }

  int64_t count() const { return count_; }

 private:
  Status put(dom::element value) {
    if (const NumberArrays::Array* array = apart_ != nullptr ? apart_->find(value) : nullptr) return put_all(*array);
    if (count_ == expected_) return too_many();
    if (!put_(value)) return invalid_argument("element " + std::to_string(count_) + " is " + shown(value));
    ++count_;
    return ok_status();
  }
  Status put_all(const NumberArrays::Array& array) {
    if constexpr (requires { put_.floats(array.values); }) {
      if (array.values.count > expected_ - count_) return too_many();
      put_.floats(array.values);
      count_ += array.values.count;
      return ok_status();
    } else {
      dom::parser parser;
      MM_ASSIGN_OR_RETURN(const dom::element numbers, parse_json(parser, array.text, array.text.size()));
      return walk(numbers, kMaxDepth - static_cast<int>(array.values.shape.size()));
    }
  }
  Status too_many() const {
    return invalid_argument("there are more elements than the shape's " + std::to_string(expected_));
  }

  Put put_;
  const int64_t expected_;
  const NumberArrays* const apart_;
  int64_t count_ = 0;
};

Status check_count(int64_t found, int64_t expected) {
  if (found == expected) return ok_status();
  return invalid_argument("there are " + std::to_string(found) + " elements, the shape calls for " +
                          std::to_string(expected));
}

/// Where elements come from.
struct Source {
  dom::element data;
  const NumberArrays* apart;
};

/// `convert(value) -> optional<T>`, with T as stored; `to` has room for `count`.
template <typename T, typename Convert>
Status read_fixed(const Source& from, int64_t count, std::byte* to, Convert convert) {
  T* out = reinterpret_cast<T*>(to);
  Walker walker(
      [&](dom::element value) {
        const std::optional<T> element = convert(value);
        if (element) *out++ = *element;
        return element.has_value();
      },
      count, from.apart);
  MM_RETURN_IF_ERROR(walker.walk(from.data));
  return check_count(walker.count(), count);
}

template <typename T>
Status read_integers(const Source& from, int64_t count, std::byte* to, JsonNumbers numbers) {
  return read_fixed<T>(from, count, to, [numbers](dom::element value) { return as_integer<T>(value, numbers); });
}

Status read_halves(const Source& from, int64_t count, std::byte* to, uint16_t (*narrow)(float)) {
  return read_fixed<uint16_t>(from, count, to, [narrow](dom::element value) -> std::optional<uint16_t> {
    const auto number = as_real<float>(value);
    if (!number) return std::nullopt;
    return narrow(*number);
  });
}

/// Puts the elements of an FP32 tensor.
struct PutFloats {
  std::byte* out;

  bool operator()(dom::element value) {
    const std::optional<float> number = as_real<float>(value);
    if (number) put(&*number, sizeof *number);
    return number.has_value();
  }
  void floats(const FloatArray& array) { put(array.floats.data(), array.floats.size()); }

 private:
  void put(const void* from, size_t size) {
    std::memcpy(out, from, size);
    out += size;
  }
};

Status read_floats(const Source& from, int64_t count, std::byte* to) {
  Walker walker(PutFloats{to}, count, from.apart);
  MM_RETURN_IF_ERROR(walker.walk(from.data));
  return check_count(walker.count(), count);
}

/// All of the elements where they were set aside as one, as most clients send tensors: they are there already.
const Bytes* floats_set_aside(const Source& from, int64_t count) {
  dom::array items;
  if (from.apart == nullptr || from.data.get_array().get(items) != simdjson::SUCCESS || items.size() != 1)
    return nullptr;
  const NumberArrays::Array* array = from.apart->find(*items.begin());
  return array != nullptr && array->values.count == count ? &array->values.floats : nullptr;
}

/// As BYTES are stored: the length, then the text.
bool append_text(dom::element value, std::string& out) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return false;
  const auto length = static_cast<uint32_t>(text.size());
  out.append(reinterpret_cast<const char*>(&length), sizeof length);
  out += text;
  return true;
}

Result<Bytes> read_strings(const Source& from, int64_t count) {
  std::string out;
  Walker walker([&](dom::element value) { return append_text(value, out); }, count, from.apart);
  MM_RETURN_IF_ERROR(walker.walk(from.data));
  MM_RETURN_IF_ERROR(check_count(walker.count(), count));
  return Bytes::copy_of(out);
}

/// Appends what was converted; false where it was not.
template <typename T>
bool append_bytes(const std::optional<T>& element, std::string& out) {
  if (element) out.append(reinterpret_cast<const char*>(&*element), sizeof *element);
  return element.has_value();
}

bool append_half(dom::element value, uint16_t (*narrow)(float), std::string& out) {
  const auto number = as_real<float>(value);
  return number && append_bytes(std::optional(narrow(*number)), out);
}

bool append_element(dom::element value, DataType dtype, std::string& out) {
  constexpr JsonNumbers kCast = JsonNumbers::kCast;
  switch (dtype) {
    case DataType::kBool: return append_bytes(as_bool(value, kCast), out);
    case DataType::kUint8: return append_bytes(as_integer<uint8_t>(value, kCast), out);
    case DataType::kUint16: return append_bytes(as_integer<uint16_t>(value, kCast), out);
    case DataType::kUint32: return append_bytes(as_integer<uint32_t>(value, kCast), out);
    case DataType::kUint64: return append_bytes(as_integer<uint64_t>(value, kCast), out);
    case DataType::kInt8: return append_bytes(as_integer<int8_t>(value, kCast), out);
    case DataType::kInt16: return append_bytes(as_integer<int16_t>(value, kCast), out);
    case DataType::kInt32: return append_bytes(as_integer<int32_t>(value, kCast), out);
    case DataType::kInt64: return append_bytes(as_integer<int64_t>(value, kCast), out);
    case DataType::kFp32: return append_bytes(as_real<float>(value), out);
    case DataType::kFp64: return append_bytes(as_real<double>(value), out);
    case DataType::kFp16: return append_half(value, float_to_half, out);
    case DataType::kBf16: return append_half(value, float_to_bfloat16, out);
    case DataType::kBytes: return append_text(value, out);
    case DataType::kInvalid: break;
  }
  return false;
}

struct CountOnly {
  bool operator()(dom::element) const { return true; }
  void floats(const FloatArray&) const {}
};

/// Of all types but BYTES, into memory for `count` of them.
Status read_elements(const Source& from, DataType dtype, int64_t count, JsonNumbers numbers, std::byte* to) {
  switch (dtype) {
    case DataType::kBool:
      return read_fixed<uint8_t>(from, count, to, [numbers](dom::element value) { return as_bool(value, numbers); });
    case DataType::kUint8: return read_integers<uint8_t>(from, count, to, numbers);
    case DataType::kUint16: return read_integers<uint16_t>(from, count, to, numbers);
    case DataType::kUint32: return read_integers<uint32_t>(from, count, to, numbers);
    case DataType::kUint64: return read_integers<uint64_t>(from, count, to, numbers);
    case DataType::kInt8: return read_integers<int8_t>(from, count, to, numbers);
    case DataType::kInt16: return read_integers<int16_t>(from, count, to, numbers);
    case DataType::kInt32: return read_integers<int32_t>(from, count, to, numbers);
    case DataType::kInt64: return read_integers<int64_t>(from, count, to, numbers);
    case DataType::kFp32: return read_floats(from, count, to);
    case DataType::kFp64: return read_fixed<double>(from, count, to, as_real<double>);
    case DataType::kFp16: return read_halves(from, count, to, float_to_half);
    case DataType::kBf16: return read_halves(from, count, to, float_to_bfloat16);
    case DataType::kBytes:
    case DataType::kInvalid: break;
  }
  return invalid_argument("the datatype is not valid");
}

/// An element takes a character of JSON at least, so a huge shape with little data is refused before memory is made for
/// it. The text cannot be longer than 4 GiB, simdjson's own bound.
Status check_room(const Source& from, int64_t count) {
  if (count < 0 || count > int64_t{UINT32_MAX}) {
    return invalid_argument("the shape calls for " + std::to_string(count) +
                            " elements, more than JSON can bring; send binary data");
  }
  if (count <= 4096) return ok_status();
  // Count first: walking is cheap beside allocating what is never filled.
  Walker counter(CountOnly{}, std::numeric_limits<int64_t>::max(), from.apart);
  MM_RETURN_IF_ERROR(counter.walk(from.data));
  return check_count(counter.count(), count);
}

}  // namespace

ThreadJsonParser::ThreadJsonParser()
    : parser_([]() -> dom::parser& {
        thread_local dom::parser parser;
        return parser;
      }()) {}

ThreadJsonParser::~ThreadJsonParser() {
  if (parser_.capacity() > kKeptCapacity) parser_ = dom::parser();
}

Result<dom::element> parse_json(dom::parser& parser, std::string_view text, size_t readable) {
  if (text.empty()) return invalid_argument("the JSON document is empty");
  const bool padded = readable >= text.size() + simdjson::SIMDJSON_PADDING;
  dom::element document;
  const auto error = parser.parse(text.data(), text.size(), !padded).get(document);
  if (error == simdjson::SUCCESS) return document;
  if (error != simdjson::CAPACITY && error != simdjson::MEMALLOC) {
    if (const auto quoted = quote_special_numbers(text)) {
      if (parser.parse(*quoted).get(document) == simdjson::SUCCESS) return document;
    }
  }
  return invalid_argument(std::string("the text is no valid JSON: ") + simdjson::error_message(error));
}

Result<Bytes> read_json_elements(dom::element data, DataType dtype, int64_t count, JsonNumbers numbers,
                                 const NumberArrays* apart) {
  const Source from{data, apart};
  if (dtype == DataType::kFp32)
    if (const Bytes* floats = floats_set_aside(from, count)) return *floats;
  MM_RETURN_IF_ERROR(check_room(from, count));
  if (dtype == DataType::kBytes) return read_strings(from, count);
  MemoryRef memory = Memory::allocate(static_cast<size_t>(count) * dtype_size(dtype));
  MM_RETURN_IF_ERROR(read_elements(from, dtype, count, numbers, memory->data()));
  return Bytes(std::move(memory));
}

Status append_parsed_elements(dom::element data, DataType dtype, int64_t count, JsonNumbers numbers,
                              const NumberArrays* apart, std::string& out) {
  const Source from{data, apart};
  MM_RETURN_IF_ERROR(check_room(from, count));
  const size_t begin = out.size();
  out.resize(begin + static_cast<size_t>(count) * dtype_size(dtype));
  return read_elements(from, dtype, count, numbers, reinterpret_cast<std::byte*>(out.data()) + begin);
}

Status append_json_element(dom::element value, DataType dtype, std::string& out) {
  return append_element(value, dtype, out) ? ok_status() : invalid_argument("the value is " + shown(value));
}

}  // namespace modelmill
