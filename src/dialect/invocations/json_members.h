#pragma once

#include <string_view>
#include <vector>

namespace modelmill::invocations {

/// A member of a JSON object: views of the text between its key's quotes, escapes as they are, and of its value.
struct JsonMember {
  std::string_view key;
  std::string_view value;
};

/// The members of the object that `text` begins with, found without parsing what is in them; those before the first
/// place where it can't go on, where the text is no JSON. What follows the object is let be.
std::vector<JsonMember> json_members(std::string_view text);

/// The value of the first member of that name; empty: there is none.
std::string_view json_member(const std::vector<JsonMember>& members, std::string_view key);

/// `text` from the first character on that is no space.
std::string_view after_spaces(std::string_view text);

}  // namespace modelmill::invocations
