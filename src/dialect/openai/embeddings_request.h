#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace modelmill::openai {

/// The body of POST embeddings. Either texts or rows of tokens.
struct EmbeddingsRequest {
  std::string model;
  /// Elements of a BYTES tensor (tensor/tensor.h).
  Bytes texts;
  std::vector<std::vector<int64_t>> tokens;
  size_t rows = 0;  // of either; at least one
  bool base64 = false;
  int64_t dimensions = 0;  // 0: all

  bool is_tokens() const { return !tokens.empty(); }
  size_t token_count() const;
};

/// Reads it. Members that are not known are let be. INVALID_ARGUMENT, with the member that is wrong in `param`.
Status read_embeddings_request(const Bytes& body, EmbeddingsRequest& out, std::string_view& param);

}  // namespace modelmill::openai
