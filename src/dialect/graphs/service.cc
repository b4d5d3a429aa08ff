#include "dialect/graphs/service.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_text.h"
#include "dialect/http_compression.h"
#include "dialect/method_check.h"
#include "wire/http_text.h"

namespace modelmill::graphs {
namespace {

using wire::ApiGroup;

/// The text between `begin` and `end`, which names one thing; nullopt: it is none of this form.
std::optional<std::string_view> between(std::string_view path, std::string_view begin, std::string_view end) {
  if (path.size() <= begin.size() + end.size() || !path.starts_with(begin) || !path.ends_with(end)) return std::nullopt;
  path = path.substr(begin.size(), path.size() - begin.size() - end.size());
  return path.find('/') == std::string_view::npos ? std::optional(path) : std::nullopt;
}

/// What may be the name of a graph in a request to paths that others have too; empty: nothing may.
std::string name_in(const wire::HttpRequest& request) {
  std::string_view path = request.path;
  const bool post = request.method == "POST";
  if (!post && request.method != "GET") return {};
  if (path == "/") {  // as KServe's router is asked
    const std::string_view host = request.header("host");
    const size_t dot = host.find('.');
    return post && dot != std::string_view::npos ? wire::lower_case(host.substr(0, dot)) : std::string();
  }
  if (const auto name = between(path, "/v2/models/", post ? "/infer" : "/ready")) return std::string(*name);
  if (path.starts_with("/kserve/")) path.remove_prefix(std::string_view("/kserve").size());
  return std::string(between(path, "/v1/models/", post ? ":predict" : "").value_or(""));
}

void write_step(JsonWriter& json, const GraphNode& node, const GraphStep& step) {
  json.begin_object();
  if (!step.name.empty()) json.field("name", step.name);
  if (step.node)
    json.field("nodeName", step.target);
  else if (step.graph)
    json.field("graph", step.services.front());
  else
    json.field("model", step.services.front());
  if (!step.path.empty()) json.field("path", step.path);
  if (node.router == GraphRouter::kSplitter) json.field("weight", step.weight);
  if (step.condition) json.field("condition", step.condition->text());
  if (node.router == GraphRouter::kSequence) json.field("data", step.of_response ? "$response" : "$request");
  if (step.map_predictions) json.field("mapPredictionsToInstances", true);
  json.field("dependency", step.hard ? "Hard" : "Soft").end_object();
}

void write_state(JsonWriter& json, const GraphState& state) {
  json.field("state", state.ready ? "READY" : "UNAVAILABLE");
  if (!state.reason.empty()) json.field("reason", state.reason);
}

void write_graph(JsonWriter& json, const InferenceGraph& graph, const GraphState& state) {
  json.begin_object().field("name", graph.name).field("declared_at", graph.place);
  write_state(json, state);
  json.key("nodes").begin_object();
  for (const GraphNode& node : graph.nodes) {
    json.key(node.name).begin_object().field("routerType", router_name(node.router)).key("steps").begin_array();
    for (const GraphStep& step : node.steps) write_step(json, node, step);
    json.end_array().end_object();
  }
  json.end_object().end_object();
}

wire::HttpReply no_graph(std::string_view name) {
  return error_reply(
      not_found("there is no graph named '" + std::string(name) + "'; GET /graphs lists those that there are"));
}

class Service {
 public:
  Service(const GraphTable& graphs, Context context) : graphs_(graphs) {
    context.graphs = &graphs;
    context_ = std::make_shared<const Context>(std::move(context));
  }

  /// A request to /graphs: what follows the name is let be, since KServe's router answers every path.
  void by_path(std::shared_ptr<wire::HttpExchange> exchange) const {
    const wire::HttpRequest& request = exchange->request();
    if (request.method == "POST" && request.path.starts_with("/graphs/")) {
      std::string_view name = std::string_view(request.path).substr(std::string_view("/graphs/").size());
      name = name.substr(0, name.find('/'));
      ServedGraphPtr graph = graphs_.find(name);
      if (!graph) return exchange->reply(no_graph(name));
      return handle_graph(std::move(exchange), std::move(graph), context_);
    }
    const bool of_one = request.path.size() > std::string_view("/graphs/").size();
    if (request.method != "GET") return exchange->reply(wrong_method(of_one ? "GET, POST" : "GET"));
    wire::HttpReply reply = describe(request.path);
    compress_reply(reply, request);
    exchange->reply(std::move(reply));
  }

  bool takes(const wire::HttpRequest& request) const {
    if (!graphs_.any()) return false;
    const std::string name = name_in(request);
    return !name.empty() && graphs_.find(name) != nullptr;
  }

  /// A request that takes() has taken.
  void by_name(std::shared_ptr<wire::HttpExchange> exchange) const {
    const wire::HttpRequest& request = exchange->request();
    const std::string name = name_in(request);
    ServedGraphPtr graph = graphs_.find(name);
    if (!graph) return exchange->reply(no_graph(name));
    if (request.method == "POST") return handle_graph(std::move(exchange), std::move(graph), context_);
    const GraphState state = state_of(name);
    JsonWriter json;
    json.begin_object().field("name", name).field("ready", state.ready);
    if (!state.ready) json.field("error", "graph '" + name + "' is not ready: " + state.reason);
    exchange->reply(json_reply(state.ready ? 200 : 503, json.end_object().take()));
  }

 private:
  GraphState state_of(const std::string& name) const {
    const auto state = context_->states == nullptr ? std::nullopt : context_->states->find(name);
    return state.value_or(GraphState{name, true, {}});
  }

  /// Those that are not taken have a name, a state and no nodes.
  void write_any(JsonWriter& json, const GraphState& state) const {
    if (const ServedGraphPtr graph = graphs_.find(state.name)) return write_graph(json, graph->graph(), state);
    json.begin_object().field("name", state.name);
    write_state(json, state);
    json.end_object();
  }

  wire::HttpReply list() const {
    JsonWriter json;
    json.begin_object().key("graphs").begin_array();
    if (context_->states != nullptr)
      for (const GraphState& state : context_->states->list()) write_any(json, state);
    else
      for (const ServedGraphPtr& graph : graphs_.list()) write_any(json, state_of(graph->graph().name));
    json.end_array().end_object();
    return json_reply(200, json.take());
  }

  wire::HttpReply describe(const std::string& path) const {
    if (path == "/graphs" || path == "/graphs/") return list();
    const std::string name = path.substr(std::string_view("/graphs/").size());
    const bool refused = context_->states != nullptr && context_->states->find(name).has_value();
    if (!refused && !graphs_.find(name)) return no_graph(name);
    JsonWriter json;
    write_any(json, state_of(name));
    return json_reply(200, json.take());
  }

  const GraphTable& graphs_;
  std::shared_ptr<const Context> context_;
};

}  // namespace

void add_to(HttpRouter& router, const GraphTable& graphs, Context context) {
  const auto service = std::make_shared<const Service>(graphs, std::move(context));
  router.add(
      "graphs", [service](std::shared_ptr<wire::HttpExchange> exchange) { service->by_path(std::move(exchange)); },
      [](const wire::HttpRequest& request) {
        return request.method == "POST" ? ApiGroup::kInference : ApiGroup::kMetadata;
      });
  router.set_front([service](const wire::HttpRequest& request) { return service->takes(request); },
                   [service](std::shared_ptr<wire::HttpExchange> exchange) { service->by_name(std::move(exchange)); },
                   [](const wire::HttpRequest& request) {
                     return request.method == "POST" ? ApiGroup::kInference : ApiGroup::kHealth;
                   });
}

}  // namespace modelmill::graphs
