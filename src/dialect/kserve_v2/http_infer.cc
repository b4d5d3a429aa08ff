#include "dialect/kserve_v2/http_infer.h"

#include <utility>

#include "dialect/kserve_v2/http_infer_call.h"
#include "dialect/version_text.h"

namespace modelmill::kserve_v2 {

void handle_http_infer(Inference& inference, std::shared_ptr<wire::HttpExchange> exchange, std::string model,
                       std::string_view version, const HttpOptions& options, RoutedRequestPtr routed,
                       const SharedRegions& regions) {
  Result<VersionPin> pin = pin_path_version(inference.catalog(), model, version, routed);
  std::make_shared<V2Call>(inference, std::move(exchange), std::move(model), regions)
      ->start(std::move(pin), options, std::move(routed));
}

}  // namespace modelmill::kserve_v2
