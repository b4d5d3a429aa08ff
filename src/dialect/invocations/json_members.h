#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace modelmill::invocations {

/// A member of a JSON object: views of the text between its key's quotes, escapes as they are, and of its value.
struct JsonMember {
  std::string_view key;
  std::string_view value;
};

/// Gives `take` the members of the object that `text` begins with, found without parsing what is in them, until it
/// returns false; those before the first place where it can't go on, where the text is no JSON. What follows the object
/// is let be.
void each_json_member(std::string_view text, const std::function<bool(const JsonMember&)>& take);

/// Of these members the first of each of the names. No more of the text is read than that takes.
std::vector<JsonMember> json_members(std::string_view text, std::span<const std::string_view> names);

/// The value of the first member of that name; empty: there is none.
std::string_view json_member(const std::vector<JsonMember>& members, std::string_view key);

/// `text` from the first character on that is no space.
std::string_view after_spaces(std::string_view text);

}  // namespace modelmill::invocations
