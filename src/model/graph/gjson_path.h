#pragma once

#include <simdjson.h>

#include <optional>
#include <string>

#include "base/result.h"

namespace modelmill {

/// A path in the syntax of GJSON, which conditions of KServe's inference graphs are written in: keys and indices, * and
/// ?, # and queries, pipes, lists of paths, and the modifiers that pass a value on or take it apart. Immutable, and so
/// thread-safe.
class GjsonPath {
 public:
  /// INVALID_ARGUMENT for what is not closed or compares in no known way, UNIMPLEMENTED, with its name, for what GJSON
  /// has and this has not.
  static Result<GjsonPath> parse(std::string text);

  const std::string& text() const { return text_; }

  /// Whether it leads to anything, null included.
  bool exists(simdjson::dom::element document) const;
  /// The JSON of what it leads to; nullopt: nothing.
  std::optional<std::string> find(simdjson::dom::element document) const;

 private:
  explicit GjsonPath(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

}  // namespace modelmill
