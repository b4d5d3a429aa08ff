#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

namespace modelmill {

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
