#pragma once

#include <memory>

#include "dialect/http_router.h"
#include "dialect/torchserve/keys.h"
#include "dialect/torchserve/metrics.h"
#include "runtime/offload.h"
#include "wire/http.h"

namespace modelmill::torchserve {

/// The reply to a request whose key does not allow it.
wire::HttpReply key_refusal();
/// The same of a gRPC call.
Status key_refusal_status();

/// Answers `/token?type=inference` or `management` to who has the key for that: the key is a new one from then on.
/// `offload` writes the file; null: the caller's thread does.
void handle_token(const std::shared_ptr<Keys>& keys, const std::shared_ptr<TorchMetrics>& metrics, Offload* offload,
                  const std::shared_ptr<wire::HttpExchange>& exchange);

}  // namespace modelmill::torchserve
