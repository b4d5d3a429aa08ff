#include "dialect/kserve_v2/http_routes.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/json_text.h"
#include "dialect/http_router.h"
#include "dialect/json_input.h"
#include "dialect/kserve_v1/handler_call.h"
#include "dialect/kserve_v2/http_answers.h"
#include "dialect/kserve_v2/http_generate.h"
#include "dialect/kserve_v2/http_infer.h"
#include "dialect/kserve_v2/http_json.h"
#include "dialect/kserve_v2/log_settings_codec.h"
#include "dialect/kserve_v2/model_loading.h"
#include "dialect/kserve_v2/shared_memory_http.h"
#include "dialect/kserve_v2/trace_settings_codec.h"
#include "dialect/method_check.h"
#include "dialect/model_wait.h"
#include "dialect/route_facts.h"
#include "dialect/version_text.h"
#include "model/triton_config.h"

namespace modelmill::kserve_v2 {
namespace {

using Path = std::span<const std::string>;

/// What KServe's clients read, as that of the server's health.
std::string models_json(const std::vector<std::string>& names) {
  JsonWriter json;
  json.begin_object().key("models").begin_array();
  for (const std::string& name : names) json.value(name);
  json.end_array().end_object();
  return json.take();
}

/// The same; Triton's clients look at the status alone.
std::string ready_json(const std::string& model) {
  JsonWriter json;
  json.begin_object().field("name", model).field("ready", true).end_object();
  return json.take();
}

template <typename T, typename Write>
wire::HttpReply reply_with(const Result<T>& result, Write write) {
  return result.ok() ? json_reply(200, write(*result)) : error_reply(result.status());
}

/// One request on its way through the paths under /v2.
class Routes {
 public:
  Routes(const ModelQueries& queries, const Settings& settings, const wire::HttpRequest& request)
      : queries_(queries), settings_(settings), request_(request) {}

  /// `path` is what follows /v2. Inference has been taken out before.
  wire::HttpReply answer(Path path) const {
    if (path.empty()) return get([&] { return json_reply(200, to_json(queries_.server_metadata())); });
    const std::string& first = path[0];
    if (first == "health") return health(path.subspan(1));
    if (first == "models") return models(path.subspan(1));
    if (first == "repository") return repository(path.subspan(1));
    if (first == "systemsharedmemory" || first == "cudasharedmemory")
      return answer_shared_memory(*settings_.regions, path, request_);
    if (first == "logging" && path.size() == 1) return answer_log_settings(*settings_.log, request_);
    if (first == "trace" && path.size() == 2 && path[1] == "setting") return trace_settings("");
    return no_such_path();
  }

 private:
  template <typename Reply>
  wire::HttpReply get(Reply reply) const {
    return request_.method == "GET" ? reply() : wrong_method("GET");
  }
  template <typename Reply>
  wire::HttpReply post(Reply reply) const {
    return request_.method == "POST" ? reply() : wrong_method("POST");
  }
  wire::HttpReply health(Path path) const {
    if (path.size() != 1 || (path[0] != "live" && path[0] != "ready")) return no_such_path();
    return get([&] {
      const bool yes = path[0] == "live" || queries_.server_ready();
      JsonWriter json;  // what KServe's client reads; Triton's looks at the status alone
      json.begin_object().field(path[0], yes).end_object();
      return json_reply(yes ? 200 : 400, json.take());
    });
  }

  /// MODEL[/versions/V][/KIND], or stats; nothing is KServe's list.
  wire::HttpReply models(Path path) const {
    if (path.empty()) return get([&] { return json_reply(200, models_json(queries_.model_names())); });
    if (path.size() == 1 && path[0] == "stats") return statistics("", "");
    const std::string& model = path[0];
    std::string version;
    path = path.subspan(1);
    if (path.size() >= 2 && path[0] == "versions") {
      version = path[1];
      if (!is_version_number(version) && !queries_.has_labels(model)) return no_such_path();
      path = path.subspan(2);
    }
    if (path.empty()) {
      return get([&] {
        return reply_with(queries_.model_metadata(model, version), [](const auto& m) { return to_json(m); });
      });
    }
    if (path.size() == 2 && path[0] == "trace" && path[1] == "setting") return trace_settings(model);
    return path.size() == 1 ? model_question(model, version, path[0]) : no_such_path();
  }

  wire::HttpReply trace_settings(const std::string& model) const {
    return answer_trace_settings(settings_.tracer, queries_, model, request_);
  }

  wire::HttpReply model_question(const std::string& model, const std::string& version, const std::string& kind) const {
    if (kind == "ready") return get([&] { return model_ready(model, version); });
    if (kind == "config") {
      return get([&] {
        return reply_with(queries_.model_config(model, version), [](const auto& c) { return triton_config_json(c); });
      });
    }
    if (kind == "stats") return statistics(model, version);
    return no_such_path();
  }

  wire::HttpReply model_ready(const std::string& model, const std::string& version) const {
    const Result<bool> ready = queries_.model_ready(model, version);
    if (!ready.ok()) return error_reply(ready.status());
    return *ready ? json_reply(200, ready_json(model)) : plain_error(400, "Model version not ready");
  }

  wire::HttpReply statistics(const std::string& model, const std::string& version) const {
    return get(
        [&] { return reply_with(queries_.statistics(model, version), [](const auto& s) { return to_json(s); }); });
  }

  /// index; a repository's name may stand in front of it. Loading has been taken out before.
  wire::HttpReply repository(Path path) const {
    if (path.empty() || path.size() > 2 || path.back() != "index") return no_such_path();
    return post([&] {
      return path.size() == 2 ? error_reply(unimplemented("'repository_name' specification is not supported"))
                              : index();
    });
  }

  wire::HttpReply index() const {
    bool ready_only = false;
    if (!request_.body.empty()) {
      const ThreadJsonParser parser;
      const auto document = parse_json(*parser, request_.body.view(), readable_from(request_.body));
      if (!document.ok()) return error_reply(document.status().with_context("failed to parse the request JSON buffer"));
      simdjson::dom::element ready;
      if ((*document).at_key("ready").get(ready) == simdjson::SUCCESS &&
          ready.get_bool().get(ready_only) != simdjson::SUCCESS) {
        return error_reply(invalid_argument("Invalid value for 'ready': expected a boolean"));
      }
    }
    return json_reply(200, to_json(queries_.repository_index(ready_only)));
  }

  const ModelQueries& queries_;
  const Settings& settings_;
  const wire::HttpRequest& request_;
};

/// `infer_stream` is MLServer's, `explain` is TorchServe's.
bool is_inference(std::string_view kind) {
  return kind == "infer" || kind == "generate" || kind == "generate_stream" || kind == "infer_stream" ||
         kind == "explain";
}

/// v2/models/MODEL[/versions/V]/KIND, V a number or a label: the kind that is inference, or "".
std::string_view inference_kind(Path path) {
  if (path.size() != 4 && path.size() != 6) return "";
  const std::string& kind = path.back();
  if (path[1] != "models" || !is_inference(kind)) return "";
  if (path.size() == 4) return kind;
  return path[3] == "versions" && !path[4].empty() ? std::string_view(kind) : "";
}

/// v2/repository[/NAME]/models/MODEL/load or unload: which of them, or "".
std::string_view loading_kind(Path path) {
  if (path.size() != 5 && path.size() != 6) return "";
  const std::string& kind = path.back();
  const bool is = path[1] == "repository" && path[path.size() - 3] == "models" && (kind == "load" || kind == "unload");
  return is ? std::string_view(kind) : "";
}

/// All requests under /v2.
struct Handler {
  Inference& inference;
  std::shared_ptr<const ModelQueries> queries;
  Settings settings;
  ModelControl* control;
  HttpOptions options;

  void operator()(std::shared_ptr<wire::HttpExchange> exchange) const {
    const wire::HttpRequest& request = exchange->request();
    const Result<std::vector<std::string>> path = split_path(request.path);
    if (!path.ok()) return exchange->reply(error_reply(path.status()));
    const std::string_view inferring = inference_kind(*path);
    const std::string_view loading = loading_kind(*path);
    if (inferring.empty() && loading.empty())
      return exchange->reply(Routes(*queries, settings, request).answer(Path(*path).subspan(1)));
    if (request.method != "POST") return exchange->reply(wrong_method("POST"));
    if (loading.empty()) return infer(*path, inferring, std::move(exchange));
    if (path->size() == 6)
      return exchange->reply(error_reply(unimplemented("'repository_name' specification is not supported")));
    if (loading == "load") return handle_http_load(control, std::move(exchange), (*path)[3], options);
    handle_http_unload(control, std::move(exchange), (*path)[3], options);
  }

  Result<VersionPin> pin(const std::string& model, std::string_view version, const RoutedRequestPtr& routed) const {
    const Catalog& catalog = inference.catalog();
    if (!routed) return pin_version(catalog, model, version);
    return catalog.pin(routed->target().model, routed->target().version, routed->target().label);
  }

  bool is_open(const std::string& model, std::string_view version, const RoutedRequestPtr& routed) const {
    const Result<VersionPin> pinned = pin(model, version, routed);
    return pinned.ok() && (*pinned)->signature().open;
  }

  /// A handler of TorchServe's gets the body as it is.
  void explain(const std::string& model, std::string_view version, std::shared_ptr<wire::HttpExchange> exchange,
               RoutedRequestPtr routed) const {
    Result<VersionPin> pinned = pin(model, version, routed);
    if (!pinned.ok()) return exchange->reply(error_reply(pinned.status()));
    kserve_v1::handle_by_handler(inference, std::move(exchange), model, std::move(pinned).value(), true, options,
                                 std::move(routed));
  }

  void infer(Path path, std::string_view kind, std::shared_ptr<wire::HttpExchange> exchange) const {
    const std::string version = path.size() == 6 ? path[4] : std::string();
    RoutedRequestPtr routed = version.empty() ? inference.route(path[2], facts_of(exchange->request())) : nullptr;
    const std::string& asked = routed ? routed->target().model : path[2];
    if (inference.loads_on_demand(asked)) return wait_for_model(inference, exchange, asked, *this);
    if (kind == "explain") return explain(path[2], version, std::move(exchange), std::move(routed));
    // Code with an open signature takes V2's requests whatever the path is called.
    const bool open = kind != "infer" && is_open(path[2], version, routed);
    if (kind == "infer_stream" && !open)
      return exchange->reply(error_reply(not_found("'" + path[2] +
                                                   "' is no class of MLServer's that is served, which infer_stream is "
                                                   "for; ask a model by infer or generate_stream")));
    if (kind == "infer" || (kind == "generate" && open))
      return handle_http_infer(inference, std::move(exchange), path[2], version, options, std::move(routed),
                               *settings.regions);
    const auto replies = kind == "generate" ? GenerateReply::kOne : GenerateReply::kStream;
    handle_http_generate(inference, std::move(exchange), path[2], version, options, replies, std::move(routed));
  }
};

}  // namespace

wire::HttpHandler make_http_handler(Inference& inference, std::shared_ptr<const ModelQueries> queries,
                                    Settings settings, ModelControl* control, HttpOptions options) {
  return Handler{inference, std::move(queries), std::move(settings), control, std::move(options)};
}

}  // namespace modelmill::kserve_v2
