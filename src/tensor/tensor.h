#pragma once

#include <boost/container/small_vector.hpp>
#include <string>

#include "base/bytes.h"
#include "base/result.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace modelmill {

/// The bytes of a tensor, in order; usually one chunk.
using Chunks = boost::container::small_vector<Bytes, 1>;

/// A named, typed, shaped value: row-major, little-endian views on bytes that someone else may share.
/// kBytes elements are stored as on the V2 protocol: each a 4-byte little-endian length and then its bytes.
/// A value: copying shares the bytes. Not synchronised.
struct Tensor {
  std::string name;
  DataType dtype = DataType::kInvalid;
  Shape shape;
  Chunks data;

  size_t byte_size() const;
  /// The bytes as one piece: the chunk itself when there is one, a gathered copy otherwise.
  Bytes contiguous() const;
};

/// OK when the bytes are exactly what dtype and shape call for; for kBytes, when the lengths walk to the end in exactly
/// as many steps as the shape has elements. The message names the tensor, what came, and what was expected.
Status check_tensor_bytes(const Tensor& tensor);

}  // namespace modelmill
