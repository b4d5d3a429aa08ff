#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace modelmill {

struct YamlKey;

/// What a value of modelmill.yaml may be. The rules are the one table that the reading, its errors and the published
/// JSON schema are made from.
struct YamlRule {
  enum class Form {
    kText,     // any scalar, as text
    kNumber,   // a whole number from `least` to `most`
    kPercent,  // a number from 0 to 100, whole or not
    kSwitch,   // true or false
    kTime,     // a number and its unit: 20ms
    kBytes,    // a number of bytes, or one with its unit: 8GiB
    kChoice,   // one of `choices`
    kGroup,    // keys, each with its rule
    kList,     // of `item`s, `least` at least
    kMap,      // names of the user's own, with values of `item`; numbers of at least `least` where `numbered`
  };
  Form form = Form::kText;
  int64_t least = 0;
  int64_t most = 0;
  std::span<const std::string_view> choices{};
  std::span<const YamlKey> keys{};
  /// Null: a list of anything.
  const YamlRule* item = nullptr;
  bool numbered = false;
  /// Another form that the value may have instead.
  const YamlRule* other = nullptr;
};

/// A key of a group.
struct YamlKey {
  std::string_view name;
  const YamlRule* rule;
  /// One sentence for the schema, shown by editors.
  std::string_view about;
  bool required = false;
};

}  // namespace modelmill
