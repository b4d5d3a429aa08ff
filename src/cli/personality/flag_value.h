#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace modelmill::personality {

/// The values of flags, with Triton's messages for those that are none.
Result<bool> read_bool(const std::string& text);
Result<int> read_integer(const std::string& text);
Result<int64_t> read_long(const std::string& text);
Result<double> read_number(const std::string& text);

/// Sets a member of a draft from the text of a flag.
template <auto Member, typename Draft>
Status set_bool(Draft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(draft.*Member, read_bool(text));
  return ok_status();
}
template <auto Member, typename Draft>
Status set_integer(Draft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(draft.*Member, read_integer(text));
  return ok_status();
}
template <auto Member, typename Draft>
Status set_long(Draft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(draft.*Member, read_long(text));
  return ok_status();
}
template <auto Member, typename Draft>
Status set_text(Draft& draft, const std::string& text) {
  draft.*Member = text;
  return ok_status();
}

/// Of ignored flags, whose values are looked at all the same.
template <typename Draft>
Status check_bool(Draft& /*draft*/, const std::string& text) {
  return read_bool(text).status();
}
template <typename Draft>
Status check_integer(Draft& /*draft*/, const std::string& text) {
  return read_long(text).status();
}
template <typename Draft>
Status check_number(Draft& /*draft*/, const std::string& text) {
  return read_number(text).status();
}
template <typename Draft>
Status check_text(Draft& /*draft*/, const std::string& /*text*/) {
  return ok_status();
}

}  // namespace modelmill::personality
