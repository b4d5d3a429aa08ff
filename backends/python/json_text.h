#pragma once

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

}  // namespace modelmill::python
