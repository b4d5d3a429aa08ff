// POST /invocations: whatever form the body has. Each request gets one answer, which is JSON, maybe with tensors
// behind.
#include <charconv>
#include <memory>
#include <string>

#include "base/check.h"
#include "dialect/http_router.h"
#include "dialect/invocations/service.h"
#include "dialect/kserve_v2/binary_type.h"
#include "dialect_rig.h"
#include "input.h"
#include "targets.h"

namespace modelmill::fuzz {
namespace {

/// The JSON of a reply, which says how long it is where it is not all.
std::string_view json_of(const wire::HttpReply& reply, std::string_view body) {
  const std::string_view type = header_of(reply, "content-type");
  const std::string_view binary = kserve_v2::binary_type(type);
  if (binary.empty()) return body;
  size_t length = 0;
  std::from_chars(type.data() + binary.size(), type.data() + type.size(), length);
  MM_CHECK(length > 0 && length <= body.size(), "the JSON is in the body");
  return body.substr(0, length);
}

}  // namespace

void invocations(std::string_view bytes) {
  static DialectRig rig;
  static const HttpRouter* const router = [] {
    auto* made = new HttpRouter();  // as long as the process
    const auto regions = std::make_shared<kserve_v2::SharedRegions>(std::vector<std::string>(), 0);
    invocations::add_to(*made, rig.inference(), {"1", [] { return true; }, {}, regions});
    return made;
  }();
  Input input(bytes);
  wire::HttpRequest request;
  request.method = "POST";
  request.path = "/invocations";
  request.headers.emplace_back("x-amzn-sagemaker-target-model", DialectRig::model_name(input.choice()));
  const size_t kind = input.choice_of(3);
  if (kind == 1) request.headers.emplace_back("content-type", "text/csv");
  if (kind == 2)
    request.headers.emplace_back("content-type",
                                 std::string(kserve_v2::kSageMakerBinary) + std::to_string(input.choice()));
  request.body = Bytes::copy_of(input.content());
  const wire::HttpReply reply =
      rig.ask([](std::shared_ptr<wire::HttpExchange> exchange) { router->handle(std::move(exchange)); }, request);
  const std::string body = joined(reply.body);
  check_json(json_of(reply, body), true);
}

}  // namespace modelmill::fuzz
