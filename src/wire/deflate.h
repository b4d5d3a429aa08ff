#pragma once

#include <cstddef>
#include <optional>

#include "base/bytes.h"
#include "tensor/tensor.h"

namespace modelmill::wire {

enum class DeflateFormat { kGzip, kZlib };

/// Smaller ones than this are not worth compressing: they fit into a packet or two as they are.
inline constexpr size_t kLeastDeflated = 1024;

/// The chunks compressed into one piece, at zlib's fastest level: most of the gain for a third of the time. nullopt
/// when that would not be smaller, or there is no memory for it. Any thread.
std::optional<Bytes> deflate_chunks(const Chunks& chunks, DeflateFormat format);

}  // namespace modelmill::wire
