// OpenAI's embeddings: bodies and paths. Each request gets one answer, which is JSON.
#include <array>
#include <memory>
#include <string>

#include "dialect/http_router.h"
#include "dialect/openai/service.h"
#include "dialect_rig.h"
#include "input.h"
#include "targets.h"

namespace modelmill::fuzz {

void openai(std::string_view bytes) {
  static DialectRig rig;
  static const HttpRouter* const router = [] {
    auto* made = new HttpRouter();  // as long as the process
    openai::add_to(*made, rig.inference(), {});
    return made;
  }();
  Input input(bytes);
  wire::HttpRequest request;
  const bool is_path = input.choice_of(4) == 3;
  request.method = is_path ? "GET" : "POST";
  request.path = is_path ? "/openai/" + std::string(input.content()) : "/v1/embeddings";
  if (!is_path) request.body = Bytes::copy_of(input.content());
  (void)router->group(request);
  const wire::HttpReply reply =
      rig.ask([](std::shared_ptr<wire::HttpExchange> exchange) { router->handle(std::move(exchange)); }, request);
  check_json(joined(reply.body), true);
}

}  // namespace modelmill::fuzz
