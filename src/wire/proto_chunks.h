#pragma once

#include <google/protobuf/message_lite.h>

#include "base/bytes.h"
#include "tensor/tensor.h"

namespace modelmill::wire {

/// The serialised message, in one piece.
inline Chunks to_chunks(const google::protobuf::MessageLite& message) {
  MemoryRef memory = Memory::allocate(message.ByteSizeLong());
  message.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(memory->data()));
  Chunks chunks;
  chunks.push_back(Bytes(std::move(memory)));
  return chunks;
}

/// False when the bytes are not such a message.
inline bool parse_from(const Bytes& bytes, google::protobuf::MessageLite& message) {
  return message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace modelmill::wire
