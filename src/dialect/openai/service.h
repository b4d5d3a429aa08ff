#pragma once

#include "dialect/http_options.h"
#include "dialect/http_router.h"
#include "serve/inference.h"

namespace modelmill::openai {

/// Adds OpenAI's interface: models and embeddings at /openai/v1, and embeddings at /v1/embeddings. The list of models
/// at /v1/models is one that it shares with other protocols (docs/tensorflow-serving.md has the rules). `inference`
/// must outlive the wire.
void add_to(HttpRouter& router, Inference& inference, const HttpOptions& options);

}  // namespace modelmill::openai
