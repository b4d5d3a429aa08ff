#pragma once

#include <span>
#include <string_view>

namespace modelmill {

/// One key of TorchServe's config.properties, as docs/torchserve-config.md has it.
struct TorchServeKey {
  enum class Meaning {
    kSame,     // what it asks for is so anyway
    kMapped,   // by options of `modelmill serve`
    kIgnored,  // it says nothing here
  };
  enum class Value { kText, kNumber, kSwitch };

  std::string_view name;
  Meaning meaning = Meaning::kIgnored;
  std::string_view what;  // how, or why not; Markdown
  Value value = Value::kText;
  /// The option that gets the value as it is; empty: the translation sees to it.
  std::string_view option = {};
  /// What TorchServe takes where the file does not have the key, as far as that is not what is done anyway.
  std::string_view preset = {};
  /// Who passes over it should know: it keeps something from someone.
  bool guards = false;
};

/// Every key of TorchServe 0.12, by name.
std::span<const TorchServeKey> torchserve_keys();
/// Null: there is no such key.
const TorchServeKey* find_torchserve_key(std::string_view name);
/// The word of the table for a meaning.
std::string_view meaning_text(TorchServeKey::Meaning meaning);

}  // namespace modelmill
