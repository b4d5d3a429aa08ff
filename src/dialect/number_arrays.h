#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>
#include <vector>

#include "dialect/float_array.h"

namespace modelmill {

/// The large arrays of numbers in a JSON text, read straight into floats and set aside, so that the parser has only the
/// rest to do: a document with a value for each number takes twice the time and many times the memory. Arrays of arrays
/// that are equally long, down to numbers, are set aside as one. What is neither by JSON's grammar, or is small, or
/// seems to be of whole numbers, stays in the text.
class NumberArrays {
 public:
  struct Array {
    FloatArray values;
    std::string_view text;  // with its brackets
  };

  /// Views `text` as long as it lives.
  explicit NumberArrays(std::string_view text);

  bool empty() const { return arrays_.empty(); }
  /// The text with an array of one mark in the place of each of them.
  const std::string& rest() const { return rest_; }
  /// The array whose mark `value`, of the parsed rest, is; or null.
  const Array* find(simdjson::dom::element value) const;
  /// JSON that was written of a part of the parsed rest, with the arrays in the places of their marks: made in one
  /// pass, for there may be many.
  std::string restored(std::string_view json) const;

 private:
  std::vector<Array> arrays_;
  std::string rest_;
};

}  // namespace modelmill
