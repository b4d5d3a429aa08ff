#include "dialect/description/service.h"

#include <memory>
#include <utility>

#include "base/json_text.h"
#include "dialect/description/front_page.h"
#include "dialect/description/open_api.h"
#include "dialect/description/protos.h"
#include "dialect/http_compression.h"
#include "dialect/method_check.h"

namespace modelmill::description {
namespace {

using Exchange = std::shared_ptr<wire::HttpExchange>;

void reply_compressed(wire::HttpExchange& exchange, wire::HttpReply reply) {
  compress_reply(reply, exchange.request());
  exchange.reply(std::move(reply));
}

wire::HttpReply no_such_path(const wire::HttpRequest& request) {
  return error_reply(not_found("no such path: '" + request.path + "'"));
}

wire::HttpReply list_protos(const wire::GrpcMethods& methods) {
  JsonWriter json;
  json.begin_object().key("files").begin_array();
  for (const std::string& file : proto_files(methods)) json.value(file);
  json.end_array().end_object();
  return json_reply(200, json.take());
}

wire::HttpReply protos(const wire::HttpRequest& request, const wire::GrpcMethods& methods) {
  std::string_view path = request.path;
  path.remove_prefix(std::string_view("/protos").size());
  if (path.empty() || path == "/") return list_protos(methods);
  const Result<std::vector<std::string>> segments = split_path(path);
  if (!segments.ok()) return error_reply(segments.status());
  std::string file;
  for (const std::string& segment : *segments) file += (file.empty() ? "" : "/") + segment;
  std::optional<std::string> text = proto_text(methods, file);
  if (!text) return error_reply(not_found("no file '" + file + "' describes a service here; GET /protos lists them"));
  return wire::HttpReply::text(200, "text/plain; charset=utf-8", std::move(*text));
}

}  // namespace

void add_to(HttpRouter& router, const Catalog& catalog, const wire::GrpcMethods& methods, Options options) {
  const auto shared = std::make_shared<const Options>(std::move(options));
  const auto reply_page = [&catalog, shared](const Exchange& exchange) {
    if (!refuse_all_but_get(*exchange))
      reply_compressed(*exchange, front_page(exchange->request(), catalog, shared->graphs, shared->server_version));
  };
  // The page itself tells nothing: it asks for all that it shows, with the token that is put in there.
  const auto group_of_page = [](const wire::HttpRequest& request) {
    return is_browser(request) ? wire::ApiGroup::kHealth : wire::ApiGroup::kMetadata;
  };
  router.add(
      "",
      [shared, reply_page](const Exchange& exchange) {
        const auto& root = shared->root;
        if (!root) return reply_page(exchange);
        exchange->reply(wire::HttpReply::text(root->status, root->content_type, root->body));
      },
      group_of_page);
  if (shared->docs)
    router.add(
        "docs",
        [reply_page](const Exchange& exchange) {
          if (exchange->request().path != "/docs") return exchange->reply(no_such_path(exchange->request()));
          reply_page(exchange);
        },
        group_of_page);
  router.add(
      "openapi.json",
      [&catalog, shared](const Exchange& exchange) {
        if (refuse_all_but_get(*exchange)) return;
        if (exchange->request().path != "/openapi.json") return exchange->reply(no_such_path(exchange->request()));
        reply_compressed(*exchange,
                         json_reply(200, open_api(catalog, shared->server_version, shared->tf_metrics_path)));
      },
      wire::ApiGroup::kMetadata);
  router.add(
      "protos",
      [&methods](const Exchange& exchange) {
        if (!refuse_all_but_get(*exchange)) reply_compressed(*exchange, protos(exchange->request(), methods));
      },
      wire::ApiGroup::kMetadata);
}

}  // namespace modelmill::description
