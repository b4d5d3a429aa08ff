#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "dialect/http_options.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::kserve_v2 {

/// How the answers to a generate request come.
enum class GenerateReply {
  kOne,     // .../generate: exactly one, as JSON
  kStream,  // .../generate_stream: any number, each a server-sent event
};

/// Answers one POST of the generate extension for the model and version (a text; empty: the default) that its path
/// names. Loop thread; `inference` must outlive the exchange.
void handle_http_generate(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
                          std::string_view version, const HttpOptions& options, GenerateReply kind,
                          RoutedRequestPtr routed = nullptr);

}  // namespace modelmill::kserve_v2
