// TensorFlow Serving's REST interface, its bodies and its paths: each request gets one answer, which is JSON.
#include <array>
#include <memory>
#include <string>

#include "base/check.h"
#include "catalog/testing/kept_records.h"
#include "dialect/http_router.h"
#include "dialect/tfserving/service.h"
#include "dialect_rig.h"
#include "input.h"
#include "targets.h"

namespace modelmill::fuzz {
namespace {

constexpr std::array kVerbs = {":predict", ":classify", ":regress", "/versions/1:predict"};

}  // namespace

void tf_rest(std::string_view bytes) {
  static DialectRig rig;
  static const HttpRouter* const router = [] {
    auto* made = new HttpRouter();        // as long as the process
    static testing::KeptRecords records;  // none: no model logs
    tfserving::add_to(*made, rig.inference(), {}, std::make_shared<tfserving::Observers>(records));
    return made;
  }();
  Input input(bytes);
  wire::HttpRequest request;
  const size_t kind = input.choice_of(4);
  const std::string model = DialectRig::model_name(input.choice());
  const std::string verb = kVerbs[input.choice_of(kVerbs.size())];
  request.method = kind == 3 ? "GET" : "POST";
  request.path = "/v1/models/" + (kind == 3 ? std::string(input.content()) : model + verb);
  request.body = Bytes::copy_of(input.content());
  (void)router->group(request);
  const wire::HttpReply reply =
      rig.ask([](std::shared_ptr<wire::HttpExchange> exchange) { router->handle(std::move(exchange)); }, request);
  check_json(joined(reply.body), true);
}

}  // namespace modelmill::fuzz
