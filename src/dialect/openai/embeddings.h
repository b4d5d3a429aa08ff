#pragma once

#include <memory>

#include "dialect/http_options.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::openai {

/// Answers POST embeddings: all inputs of it are one request to the model. `inference` must outlive the exchange.
void handle_embeddings(Inference& inference, const HttpOptions& options, std::shared_ptr<wire::HttpExchange> exchange);

}  // namespace modelmill::openai
