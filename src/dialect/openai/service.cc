#include "dialect/openai/service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "dialect/openai/embeddings.h"
#include "dialect/openai/errors.h"
#include "dialect/openai/models.h"

namespace modelmill::openai {
namespace {

using Exchange = std::shared_ptr<wire::HttpExchange>;

wire::HttpReply no_such_path(const wire::HttpRequest& request) {
  return failure_reply(not_found("Invalid URL (" + request.method + " " + request.path +
                                 "); here are POST /openai/v1/embeddings, GET /openai/v1/models and GET "
                                 "/openai/v1/models/MODEL"));
}

/// Of a path that begins with /openai.
void handle(Inference& inference, const HttpOptions& options, Exchange exchange) {
  const wire::HttpRequest& request = exchange->request();
  const Result<std::vector<std::string>> path = split_path(request.path);
  if (!path.ok()) return exchange->reply(failure_reply(path.status()));
  if (path->size() < 3 || (*path)[1] != "v1") return exchange->reply(no_such_path(request));
  const std::string& what = (*path)[2];
  if (what == "embeddings" && path->size() == 3) return handle_embeddings(inference, options, std::move(exchange));
  if (what != "models" || path->size() > 4) return exchange->reply(no_such_path(request));
  if (request.method != "GET") return exchange->reply(method_not_allowed(request, "GET"));
  wire::HttpReply reply =
      path->size() == 3 ? list_models(inference.catalog()) : describe_model(inference, path->back());
  compress_reply(reply, request);
  exchange->reply(std::move(reply));
}

wire::ApiGroup group_of(const wire::HttpRequest& request) {
  return request.method == "POST" ? wire::ApiGroup::kInference : wire::ApiGroup::kMetadata;
}

}  // namespace

void add_to(HttpRouter& router, Inference& inference, const HttpOptions& options) {
  router.add(
      "openai", [&inference, options](Exchange exchange) { handle(inference, options, std::move(exchange)); },
      group_of);
  router.add_path(
      "/v1/embeddings",
      [&inference, options](Exchange exchange) { handle_embeddings(inference, options, std::move(exchange)); },
      group_of);
}

}  // namespace modelmill::openai
