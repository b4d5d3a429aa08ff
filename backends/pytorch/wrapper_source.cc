#include "wrapper_source.h"

#include <algorithm>
#include <charconv>
#include <string>

#include "modelmill/backend.hpp"

namespace modelmill::pytorch {
namespace {

constexpr size_t kMostInputs = 10000;

/// A number at the front of `text`, which goes.
std::optional<int64_t> take_number(std::string_view& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return value;
}

bool take(std::string_view& text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

mm_dtype type_named(std::string_view name) {
  struct Pair {
    std::string_view name;
    mm_dtype type;
  };
  static constexpr Pair kNames[] = {
      {"bool", MM_BOOL},     {"uint8", MM_UINT8},  {"uint16", MM_UINT16}, {"uint32", MM_UINT32}, {"uint64", MM_UINT64},
      {"int8", MM_INT8},     {"int16", MM_INT16},  {"int32", MM_INT32},   {"int64", MM_INT64},   {"float16", MM_FP16},
      {"bfloat16", MM_BF16}, {"float32", MM_FP32}, {"float64", MM_FP64}};
  for (const Pair& pair : kNames)
    if (pair.name == name) return pair.type;
  return MM_DTYPE_INVALID;
}

/// `inputs_info_[0].name = "arg0_1";` and so on.
std::vector<std::string> input_names(std::string_view source) {
  std::vector<std::string> out;
  while (out.size() < kMostInputs) {
    const std::string begin = "inputs_info_[" + std::to_string(out.size()) + "].name = \"";
    const size_t at = source.find(begin);
    if (at == std::string_view::npos) break;
    source.remove_prefix(at + begin.size());
    out.emplace_back(source.substr(0, source.find('"')));
  }
  return out;
}

/// Of `int32_t x_expected_dtype = aoti_torch_dtype_float32();`.
mm_dtype read_type(std::string_view checks, const std::string& name) {
  constexpr std::string_view kFunction = "_expected_dtype = aoti_torch_dtype_";
  const std::string begin = " " + name + std::string(kFunction);
  const size_t at = checks.find(begin);
  if (at == std::string_view::npos) return MM_DTYPE_INVALID;
  checks.remove_prefix(at + begin.size());
  return type_named(checks.substr(0, checks.find('(')));
}

PackageInput::Size& size_at(PackageInput& input, int64_t index) {
  if (input.sizes.size() <= static_cast<size_t>(index)) input.sizes.resize(static_cast<size_t>(index) + 1);
  return input.sizes[static_cast<size_t>(index)];
}

/// One condition: `64 != x_size[1]`, `x_size[0] < 2`, `x_size[0] > 64`, `1 != x_stride[1]`.
void read_condition(std::string_view text, const std::string& name, PackageInput& out) {
  const auto index_of = [&](std::string_view kind) -> std::optional<int64_t> {
    std::string_view rest = text;
    if (!take(rest, name) || !take(rest, kind)) return std::nullopt;
    const auto index = take_number(rest);
    if (!index || *index < 0 || *index >= int64_t{backend::kMaxRank} || !take(rest, "]")) return std::nullopt;
    text = rest;
    return index;
  };
  const auto before = take_number(text);
  if (before && !take(text, " != ")) return;
  if (const auto index = index_of("_stride[")) {
    size_at(out, *index);
  } else if (const auto at = index_of("_size[")) {
    PackageInput::Size& size = size_at(out, *at);
    if (before) {
      size = {*before, *before};
    } else if (take(text, " < ")) {
      size.least = take_number(text).value_or(0);
    } else if (take(text, " > ")) {
      size.most = take_number(text).value_or(-1);
    }
  }
}

}  // namespace

std::optional<std::vector<PackageInput>> read_wrapper(std::string_view source) {
  std::vector<PackageInput> out;
  const std::vector<std::string> names = input_names(source);
  if (names.empty()) return std::nullopt;
  for (const std::string& name : names) {
    const size_t begin = source.find("check_input_" + std::to_string(out.size()) + "(");
    if (begin == std::string_view::npos) return std::nullopt;
    std::string_view checks = source.substr(begin);
    checks = checks.substr(0, checks.find("\n}"));
    PackageInput& input = out.emplace_back();
    input.dtype = read_type(checks, name);
    if (input.dtype == MM_DTYPE_INVALID) return std::nullopt;
    for (size_t at = 0; (at = checks.find("if (", at)) != std::string_view::npos;) {
      at += 4;
      read_condition(checks.substr(at, checks.find('\n', at) - at), name, input);
    }
  }
  return out;
}

}  // namespace modelmill::pytorch
