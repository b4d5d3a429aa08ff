#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.h"
#include "dialect/http_options.h"
#include "request/infer_request.h"
#include "serve/inference.h"
#include "wire/http.h"

namespace modelmill::mlserver {

/// Makes `request` one by which the code behind an open signature is asked at a path of its own: `asked`, a JSON
/// object, and a body. What it may be is in python/modelmill/worker/flavours/mlserver_routes.py.
void fill_route_request(const std::string& asked, const Bytes& body, InferRequest& request);

/// The body of its answer; nullopt: it gave none.
std::optional<Bytes> route_answer(const InferResponse& response);

/// Has the code of that version answer the request.
void answer_route(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, VersionPin pin,
                  const HttpOptions& options);

}  // namespace modelmill::mlserver
