#pragma once

#include <string>

#include "dialect/openai/embedding_model.h"
#include "dialect/openai/embeddings_request.h"
#include "request/infer_response.h"

namespace modelmill::openai {

/// What the answer is read by.
struct ReplyPlan {
  std::string output, counts;  // names; counts may be empty
  VectorCuts cuts;
};

/// OpenAI's list of embeddings. An error where the answer isn't vectors for all that was asked, or they may not be cut
/// so; `param` then says whether that is the request's fault.
Result<std::string> write_embeddings(const EmbeddingsRequest& request, const ReplyPlan& plan,
                                     const InferResponse& response, std::string_view& param);

}  // namespace modelmill::openai
