#include "route/request_facts.h"

#include <algorithm>

#include "base/client_network.h"
#include "base/json_text.h"
#include "base/percent_text.h"

namespace modelmill {
namespace {

std::optional<std::string_view> header_value(std::string_view name, const RequestFacts& facts) {
  if (facts.headers == nullptr) return std::nullopt;
  for (const auto& [key, value] : *facts.headers)
    if (key == name) return value;
  return std::nullopt;
}

/// In "a=1; b=2".
std::optional<std::string_view> cookie_in(std::string_view header, std::string_view name) {
  while (!header.empty()) {
    std::string_view pair = header.substr(0, header.find(';'));
    header.remove_prefix(std::min(header.size(), pair.size() + 1));
    pair.remove_prefix(std::min(pair.find_first_not_of(' '), pair.size()));
    const size_t equals = pair.find('=');
    if (equals != std::string_view::npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
  }
  return std::nullopt;
}

/// HTTP/2 clients may send each cookie in a header of its own.
std::optional<std::string_view> cookie_value(std::string_view name, const RequestFacts& facts) {
  if (facts.headers == nullptr) return std::nullopt;
  for (const auto& [key, value] : *facts.headers)
    if (key == "cookie")
      if (const auto found = cookie_in(value, name)) return found;
  return std::nullopt;
}

struct AsText {
  std::string& into;
  void operator()(bool flag) const { into = flag ? "true" : "false"; }
  void operator()(const std::string& text) const { into = text; }
  template <typename Number>
  void operator()(Number number) const {
    append_json_number(into, number);
  }
};

std::optional<std::string_view> parameter_value(std::string_view name, const RequestFacts& facts,
                                                std::string& scratch) {
  if (facts.parameters != nullptr) {
    if (const ParameterValue* value = facts.parameters->find(name)) {
      if (const auto* text = std::get_if<std::string>(value)) return *text;
      scratch.clear();
      std::visit(AsText{scratch}, *value);
      return scratch;
    }
  }
  if (facts.query.empty()) return std::nullopt;
  auto fields = parse_query(facts.query);
  if (!fields.ok()) return std::nullopt;
  for (auto& [key, value] : *fields) {
    if (key != name) continue;
    scratch = std::move(value);
    return scratch;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> value_of(const RouteKey& key, const RequestFacts& facts, std::string& scratch) {
  switch (key.from) {
    case RouteKey::From::kHeader: return header_value(key.name, facts);
    case RouteKey::From::kCookie: return cookie_value(key.name, facts);
    case RouteKey::From::kParameter: return parameter_value(key.name, facts, scratch);
    case RouteKey::From::kClient: break;
  }
  if (facts.peer.empty()) return std::nullopt;
  return peer_address(facts.peer);
}

}  // namespace modelmill
