#pragma once

#include <vector>

#include "ort.h"

namespace modelmill::ort {

/// The type is a sequence of maps from a class to a number: what converters of scikit-learn put out for the
/// probabilities of a classifier unless they are told `zipmap: False`.
bool is_zipmap(const OrtTypeInfo* type);

/// The same as a matrix: a row for each map, with its numbers in the order of the classes.
struct UnzippedMaps {
  std::vector<float> numbers;
  int64_t rows = 0;
  int64_t classes = 0;
};
/// Throws where the maps are of unequal size.
UnzippedMaps unzip_maps(const OrtValue* value);

}  // namespace modelmill::ort
