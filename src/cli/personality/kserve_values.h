#pragma once

#include <string>

#include "base/result.h"
#include "cli/personality/flag_value.h"
#include "cli/personality/kserve_draft.h"

namespace modelmill::personality {

/// The values of flags as Python's argparse reads them, with its messages for those that are none.
Result<bool> read_python_bool(const std::string& text);
Result<int64_t> read_python_integer(const std::string& text);

template <auto Member>
Status take_python_bool(KserveDraft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(draft.*Member, read_python_bool(text));
  return ok_status();
}

/// `least`: what it must be at least.
template <auto Member, int least>
Status take_python_integer(KserveDraft& draft, const std::string& text) {
  MM_ASSIGN_OR_RETURN(const int64_t number, read_python_integer(text));
  constexpr int64_t kMost = 0x7fffffff;
  if (number < least || number > kMost)
    return invalid_argument("must be from " + std::to_string(least) + " to " + std::to_string(kMost) + ", not " + text);
  draft.*Member = static_cast<std::remove_reference_t<decltype(draft.*Member)>>(number);
  return ok_status();
}

inline Status look_at_python_bool(KserveDraft& /*draft*/, const std::string& text) {
  return read_python_bool(text).status();
}
inline Status look_at_python_integer(KserveDraft& /*draft*/, const std::string& text) {
  return read_python_integer(text).status();
}

}  // namespace modelmill::personality
