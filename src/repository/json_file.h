#pragma once

#include <optional>
#include <string>

#include "base/result.h"

namespace modelmill {

/// A JSON file of a layout, of which a few texts are wanted.
class JsonFile {
 public:
  /// INVALID_ARGUMENT when it isn't JSON, with the file's name.
  static Result<JsonFile> read(const std::string& path);

  /// The text at a JSON pointer such as "/model/modelName"; numbers as they are written. nullopt when there is none.
  std::optional<std::string> text(const std::string& pointer) const;
  /// The switch there, also written as a text.
  std::optional<bool> flag(const std::string& pointer) const;

 private:
  explicit JsonFile(std::string json) : json_(std::move(json)) {}
  std::string json_;
};

}  // namespace modelmill
