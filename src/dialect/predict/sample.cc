#include "dialect/predict/sample.h"

#include <algorithm>
#include <cstdint>

#include "base/json_text.h"

namespace modelmill::predict {
namespace {

/// Up to so many elements are written out.
constexpr int64_t kWrittenOut = 24;

/// A shape that the model is likely to take. Open sizes: one row in front; what follows is a length in short shapes and
/// the sides of an image, of which networks like multiples of 32, in those of four dimensions.
Shape plausible_shape(const TensorSpec& spec) {
  Shape shape = spec.shape;
  for (size_t i = 0; i < shape.size(); ++i) {
    if (shape[i] >= 0) continue;
    const bool channels = shape.size() == 4 && i == 1;
    shape[i] = i == 0 ? 1 : channels ? 3 : shape.size() >= 4 ? 64 : 8;
  }
  return shape;
}

std::string json_text(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

/// One element, as JSON and as Python.
struct Value {
  std::string json;
  std::string python;
};

Value plausible_value(DataType dtype) {
  switch (dtype) {
    case DataType::kBool: return {"true", "True"};
    case DataType::kBytes: return {"\"hello\"", "\"hello\""};
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kFp32:
    case DataType::kFp64: return {"0.5", "0.5"};
    default: return {"1", "1"};
  }
}

std::string nested(std::span<const int64_t> shape, const std::string& value) {
  if (shape.empty()) return value;
  const std::string inner = nested(shape.subspan(1), value);
  std::string text = "[";
  for (int64_t i = 0; i < shape[0]; ++i) text += (i == 0 ? "" : ",") + inner;
  return text + "]";
}

/// [[0.5]*48]*3
std::string repeated(std::span<const int64_t> shape, const std::string& value) {
  std::string text = value;
  for (size_t i = shape.size(); i-- > 0;) {
    text = "[" + text + "]";
    if (shape[i] != 1) text += "*" + std::to_string(shape[i]);
  }
  return text;
}

/// In single quotes, for a POSIX shell.
std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out + "'";
}

bool is_plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '/';
}

std::string percent_encoded(std::string_view path) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : path) {
    if (is_plain(c)) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[c & 15];
    }
  }
  return out;
}

}  // namespace

std::string sample_curl(std::string_view url, const ModelVersion& version) {
  return sample_curl(url, version.name(), version.signature());
}

std::string sample_curl(std::string_view url, std::string_view model_path, const Signature& signature) {
  std::string json, python;
  int64_t elements = 0;
  for (const TensorSpec& spec : signature.inputs) {
    if (spec.optional) continue;
    const Shape shape = plausible_shape(spec);
    const int64_t count = element_count(dims(shape)).value_or(INT64_MAX);
    elements = elements > kWrittenOut || count > kWrittenOut ? INT64_MAX : elements + count;
    const Value value = plausible_value(spec.dtype);
    const std::string separator = json.empty() ? "" : ", ";
    const std::string name = json_text(spec.name) + ": ";
    json += separator + name + (count <= kWrittenOut ? nested(dims(shape), value.json) : "");
    python += separator + name + repeated(dims(shape), value.python);
  }
  const std::string target = std::string(url) + "/predict/" + percent_encoded(model_path);
  if (elements <= kWrittenOut) return "curl " + target + " -d " + shell_quoted("{" + json + "}");
  return "python3 -c " + shell_quoted("import json; print(json.dumps({" + python + "}))") + " | curl " + target +
         " --data-binary @-";
}

}  // namespace modelmill::predict
