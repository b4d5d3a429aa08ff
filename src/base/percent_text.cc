#include "base/percent_text.h"

#include <algorithm>
#include <cctype>

#include "base/hex_text.h"

namespace modelmill {
namespace {

Result<std::string> query_decode(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  return decode_percents(spaced);
}

}  // namespace

std::string percent_encode(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || c == '-' || c == '_' || c == '.' || c == '~') {
      out += c;
    } else {
      out += '%';
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    }
  }
  return out;
}

Result<std::string> decode_percents(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out.push_back(text[i]);
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return invalid_argument("the path segment '" + std::string(text) +
                              "' has a '%' without two hexadecimal digits after it; write a plain '%' as %25");
    }
    out.push_back(static_cast<char>(high * 16 + low));
    i += 2;
  }
  return out;
}

Result<NamedTexts> parse_query(std::string_view query, size_t most) {
  NamedTexts all;
  while (!query.empty()) {
    const std::string_view item = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), item.size() + 1));
    if (item.empty()) continue;
    if (all.size() == most)
      return invalid_argument("there are more than " + std::to_string(most) + " parameters; send fewer");
    const size_t equals = std::min(item.find('='), item.size());
    MM_ASSIGN_OR_RETURN(std::string name, query_decode(item.substr(0, equals)));
    MM_ASSIGN_OR_RETURN(std::string value, query_decode(item.substr(std::min(equals + 1, item.size()))));
    all.emplace_back(std::move(name), std::move(value));
  }
  return all;
}

}  // namespace modelmill
