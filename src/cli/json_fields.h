#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace modelmill {

inline Status answer_not_understood() {
  return internal("the server's answer is not understood; use the release of the server");
}

/// What `write` makes of a server's answer, which is a JSON object.
template <typename Write>
Result<std::string> text_from(std::string_view json, Write write) {
  simdjson::dom::parser parser;
  simdjson::dom::element document;
  if (parser.parse(json.data(), json.size()).get(document) != simdjson::SUCCESS || !document.is_object())
    return answer_not_understood();
  return write(document);
}

// Fields of a server's answer. One that is not there, or is of another type, reads as nothing: an older server may not
// have it.

inline std::string text_of(const simdjson::dom::element& object, const char* name) {
  std::string_view text;
  return object[name].get(text) ? std::string() : std::string(text);
}

template <typename Number>
Number number_of(const simdjson::dom::element& object, const char* name) {
  Number number = 0;
  return object[name].get(number) ? 0 : number;
}

inline bool flag_of(const simdjson::dom::element& object, const char* name) {
  bool flag = false;
  return !object[name].get(flag) && flag;
}

inline std::vector<simdjson::dom::element> list_of(const simdjson::dom::element& object, const char* name) {
  simdjson::dom::array list;
  if (object[name].get(list)) return {};
  return {list.begin(), list.end()};
}

}  // namespace modelmill
