#pragma once

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "modelmill/backend.hpp"

namespace modelmill::python {

/// The text as a JSON string, quotes included.
inline std::string json_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      constexpr char kHex[] = "0123456789abcdef";
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[c & 15];
    } else {
      out += c;
    }
  }
  return out + '"';
}

/// The value as JSON again.
inline std::string json_text(const backend::Json& value) {
  using Kind = backend::Json::Kind;
  std::string out;
  switch (value.kind()) {
    case Kind::kNull: return "null";
    case Kind::kBool:
    case Kind::kNumber: return value.text();
    case Kind::kString: return json_quoted(value.text());
    case Kind::kArray:
      for (const auto& item : value.items()) out += (out.empty() ? "" : ",") + json_text(item);
      return "[" + out + "]";
    case Kind::kObject:
      for (const auto& [name, member] : value.members())
        out += (out.empty() ? "" : ",") + json_quoted(name) + ":" + json_text(member);
      return "{" + out + "}";
  }
  return "null";
}

/// A parameter's value as JSON; a fraction stays one.
inline std::string json_text(const backend::ParameterValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return json_quoted(*text);
  if (const auto* yes = std::get_if<bool>(&value)) return *yes ? "true" : "false";
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* number = std::get_if<uint64_t>(&value)) return std::to_string(*number);
  char text[40];
  std::snprintf(text, sizeof text, "%.17g", std::get<double>(value));
  std::string out = text;
  if (out.find_first_of("in") != std::string::npos) return "null";  // JSON has no infinity
  return out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}

/// The inverse; whatever is neither a bool nor a number is its text.
inline backend::ParameterValue parameter_value(const backend::Json& value) {
  using Kind = backend::Json::Kind;
  const std::string text = value.text();
  if (value.kind() == Kind::kBool) return text == "true";
  if (value.kind() != Kind::kNumber) return text;
  const auto whole = [&text](auto number) -> std::optional<decltype(number)> {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
  };
  if (const auto number = whole(int64_t{})) return *number;
  if (const auto number = whole(uint64_t{})) return *number;
  return std::strtod(text.c_str(), nullptr);
}

}  // namespace modelmill::python
