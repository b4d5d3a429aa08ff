#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "catalog/model_version.h"
#include "dialect/openai/embeddings_request.h"

namespace modelmill::openai {

/// The parts of a signature by which a model makes vectors of texts or tokens. Views of the signature.
struct EmbeddingModel {
  const TensorSpec* input = nullptr;        // BYTES [n] or [n,1]: texts; integers [n,length]: tokens
  const TensorSpec* mask = nullptr;         // of tokens: which are there; null: all rows are equally long
  const TensorSpec* token_types = nullptr;  // zeros; null: none
  const TensorSpec* output = nullptr;       // floats [n,dimensions]
  const TensorSpec* counts = nullptr;       // integers [n]: how many tokens each text had; null: the model doesn't say

  bool takes_tokens() const { return input->dtype != DataType::kBytes; }
};

/// The output of integers by which a model says how many tokens each of its texts had.
inline constexpr std::string_view kTokenCount = "token_count";
/// The model's parameter: the sizes to which its vectors may be cut, with commas between them, or "any".
inline constexpr const char* kMatryoshka = "matryoshka_dimensions";

/// INVALID_ARGUMENT, with what would make it one, for a model that is none.
Result<EmbeddingModel> embedding_model(const ModelVersion& version);

/// Puts a client's texts or tokens into `request`, and names the outputs that are wanted. INVALID_ARGUMENT for what the
/// model can't take.
Status put_inputs(const EmbeddingsRequest& from, const EmbeddingModel& model, const std::string& name,
                  InferRequest& request);

/// To what a model's vectors may be cut.
struct VectorCuts {
  std::string model;
  std::optional<std::string> told;  // by the model's parameter

  /// OK if a client may have `dimensions` (0: all) of vectors of `size` numbers (-1: that isn't known).
  Status check(int64_t dimensions, int64_t size) const;
};
VectorCuts cuts_of(const ModelVersion& version);

}  // namespace modelmill::openai
