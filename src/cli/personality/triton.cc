#include <algorithm>
#include <utility>

#include "cli/cloud_environment.h"
#include "cli/personality/flag_reference.h"
#include "cli/personality/personality.h"
#include "cli/personality/triton_draft.h"
#include "cli/suggestion.h"
#include "server/trace_environment.h"

namespace modelmill::personality {
namespace {

constexpr char kName[] = "tritonserver";
constexpr std::string_view kSageMaker = "SageMaker";
constexpr uint64_t kMaxInputSize = uint64_t{1} << 26;
constexpr uint64_t kSharedMemoryBytes = uint64_t{16} << 30;

Answer complain(const std::string& message) {
  return {1, message + "\nRun 'modelmill --as tritonserver --help' for what there is.\n"};
}

/// The flag that a word, whole or begun, names; else why it names none.
struct Match {
  const TritonFlag* flag = nullptr;
  std::string problem;
};

Match match(const std::string& word) {
  std::vector<const TritonFlag*> begun;
  for (const TritonFlag& flag : triton_flags()) {
    if (flag.name == word) return {&flag, ""};
    if (!word.empty() && flag.name.starts_with(word)) begun.push_back(&flag);
  }
  if (begun.size() == 1) return {begun.front(), ""};
  if (begun.empty())
    return {nullptr,
            "unrecognized option '--" + word + "'" + suggestion("--" + word, dashed_names(texts_of(triton_flags())))};
  std::string text = "option '--" + word + "' is ambiguous; possibilities:";
  for (const TritonFlag* flag : begun) text += " '--" + std::string(flag->name) + "'";
  return {nullptr, text};
}

/// Takes each argument as getopt_long() does: --flag=value, --flag value, and beginnings of flags.
std::optional<Answer> take(const std::vector<std::string>& arguments, TritonDraft& draft) {
  std::vector<const TritonFlag*> ignored;
  std::vector<std::string> others;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      others.insert(others.end(), arguments.begin() + static_cast<ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    if (argument.size() < 2 || argument.front() != '-') {
      others.push_back(argument);
      continue;
    }
    if (!argument.starts_with("--"))
      return complain(std::string(kName) + ": invalid option '" + argument + "'; flags begin with two dashes");
    const size_t equals = argument.find('=');
    const Match found = match(argument.substr(2, equals == std::string::npos ? equals : equals - 2));
    if (found.flag == nullptr) return complain(std::string(kName) + ": " + found.problem);
    const TritonFlag& flag = *found.flag;
    if (flag.name == "help")
      return Answer{1, "Usage: tritonserver [options]\n\n" + flags_usage(texts_of(triton_flags()))};
    const std::string name = "--" + std::string(flag.name);
    std::string value;
    if (flag.value == FlagValue::kNone) {
      if (equals != std::string::npos)
        return complain(std::string(kName) + ": option '" + name + "' doesn't allow an argument");
    } else if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (++i < arguments.size()) {
      value = arguments[i];
    } else {
      return complain(std::string(kName) + ": option '" + name + "' requires an argument");
    }
    if (flag.apply != nullptr)
      if (const Status status = flag.apply(draft, value); !status.ok())
        return complain("Bad option: \"" + name + "\".\n" + status.message());
    if (flag.taken == Taken::kIgnored && std::find(ignored.begin(), ignored.end(), &flag) == ignored.end())
      ignored.push_back(&flag);
  }
  if (!others.empty()) return complain("Unexpected argument: " + others.front());
  for (const TritonFlag* flag : ignored) draft.launch.notices.push_back(ignored_notice(kName, *flag));
  return std::nullopt;
}

wire::Endpoint endpoint(const std::string& address, int port, wire::Endpoint::Scheme scheme, wire::Services serves,
                        bool shared = false) {
  return {scheme, address, static_cast<uint16_t>(port), "", serves, shared};
}

Status check_port(const char* flag, int port) {
  if (port >= 0 && port <= 65'535) return ok_status();
  return invalid_argument(std::string("Bad option: \"") + flag + "\".\nthere is no port " + std::to_string(port));
}

/// A port, and what of.
struct Port {
  std::string_view name;
  wire::Endpoint endpoint;
};

/// SageMaker says which ports beside its own a container may use.
Status check_safe_ports(const TritonDraft& draft, const std::vector<Port>& ports) {
  if (!draft.allow_sagemaker || !draft.safe_ports) return ok_status();
  const auto [low, high] = *draft.safe_ports;
  for (const Port& port : ports) {
    const int number = port.endpoint.port;
    if (port.name == kSageMaker || (number >= low && number <= high)) continue;
    return invalid_argument("The server cannot listen to " + std::string(port.name) + " requests at port " +
                            std::to_string(number) + ", allowed port range is [" + std::to_string(low) + ", " +
                            std::to_string(high) + "]");
  }
  return ok_status();
}

/// As in Triton no two ports are one.
Status check_collisions(const std::vector<Port>& ports) {
  const auto is_any = [](const wire::Endpoint& endpoint) { return endpoint.host == "0.0.0.0"; };
  for (size_t i = 0; i < ports.size(); ++i) {
    const wire::Endpoint& one = ports[i].endpoint;
    for (size_t j = i + 1; j < ports.size(); ++j) {
      const wire::Endpoint& other = ports[j].endpoint;
      if (one.port == 0 || one.port != other.port) continue;
      if (one.host != other.host && !is_any(one) && !is_any(other)) continue;
      return invalid_argument("The server cannot listen to " + std::string(ports[i].name) + " requests and " +
                              std::string(ports[j].name) + " requests at the same address and port " +
                              address_text(one));
    }
  }
  return ok_status();
}

/// The ports that are asked for.
std::vector<Port> asked_ports(const TritonDraft& draft) {
  using Scheme = wire::Endpoint::Scheme;
  const wire::Services http = {.http = true, .grpc = false, .metrics = false};
  std::vector<Port> ports;
  if (draft.allow_http)
    ports.push_back(
        {"HTTP", endpoint(draft.http_address, draft.http_port, Scheme::kHttp, http, draft.reuse_http_port)});
  if (draft.allow_grpc)
    ports.push_back(
        {"GRPC", endpoint(draft.grpc_address, draft.grpc_port, draft.grpc_tls ? Scheme::kHttps : Scheme::kHttp,
                          {.http = false, .grpc = true, .metrics = false}, draft.reuse_grpc_port)});
  if (draft.allow_metrics)
    ports.push_back(
        {"metrics", endpoint(draft.metrics_address.empty() ? draft.http_address : draft.metrics_address,
                             draft.metrics_port, Scheme::kHttp, {.http = false, .grpc = false, .metrics = true})});
  if (draft.allow_sagemaker)
    ports.push_back({kSageMaker, endpoint(draft.cloud_address, draft.sagemaker_port, Scheme::kHttp, http)});
  if (draft.allow_vertex)
    ports.push_back({"Vertex AI", endpoint(draft.cloud_address, draft.vertex_port, Scheme::kHttp,
                                           {.http = true, .grpc = false, .metrics = true})});
  return ports;
}

Status set_endpoints(TritonDraft& draft) {
  MM_RETURN_IF_ERROR(check_port("--http-port", draft.http_port));
  MM_RETURN_IF_ERROR(check_port("--grpc-port", draft.grpc_port));
  MM_RETURN_IF_ERROR(check_port("--metrics-port", draft.metrics_port));
  MM_RETURN_IF_ERROR(check_port("--sagemaker-port", draft.sagemaker_port));
  MM_RETURN_IF_ERROR(check_port("--vertex-ai-port", draft.vertex_port));
  std::vector<Port> ports = asked_ports(draft);
  if (ports.empty())
    return invalid_argument(
        "nothing would be served: --allow-http, --allow-grpc, --allow-metrics, --allow-sagemaker and --allow-vertex-ai "
        "are all false");
  MM_RETURN_IF_ERROR(check_collisions(ports));
  MM_RETURN_IF_ERROR(check_safe_ports(draft, ports));
  for (Port& port : ports) draft.launch.config.listen.push_back(std::move(port.endpoint));
  return ok_status();
}

Status set_tls(TritonDraft& draft) {
  if (!draft.grpc_tls || !draft.allow_grpc) return ok_status();
  if (draft.server_cert.empty() || draft.server_key.empty())
    return invalid_argument("--grpc-use-ssl needs --grpc-server-cert and --grpc-server-key");
  wire::TlsOptions& tls = draft.launch.config.tls;
  tls.certificate = draft.server_cert;
  tls.key = draft.server_key;
  if (!draft.grpc_mutual_tls) return ok_status();
  if (draft.root_cert.empty())
    return invalid_argument("--grpc-use-ssl-mutual needs --grpc-root-cert, the authorities of clients' certificates");
  tls.client_ca = draft.root_cert;
  return ok_status();
}

bool is_multi_model(const TritonDraft& draft, const Environment& environment) {
  return draft.allow_sagemaker && environment("SAGEMAKER_MULTI_MODEL") == "true";
}

/// A multi-model endpoint: models come one by one, and a repository that is named is a place where they may lie.
void set_multi_model(ServerConfig& config) {
  constexpr const char* kUnpacked = "/opt/ml/models";
  config.multi_model_folders = {kUnpacked};
  for (const std::string& path : config.paths)
    if (path != kUnpacked) config.multi_model_folders.push_back(path);
  if (config.control.load_models.empty()) config.paths.clear();
  config.access.management_prefixes.emplace_back("/models");
}

Status set_models(TritonDraft& draft, const Environment& environment) {
  ServerConfig& config = draft.launch.config;
  const std::vector<std::string>& models = config.control.load_models;
  if (!models.empty() && config.control.mode != ControlMode::kExplicit)
    return invalid_argument("Error: Use of '--load-model' requires setting '--model-control-mode=explicit' as well.");
  if (models.size() > 1 && std::find(models.begin(), models.end(), "*") != models.end())
    return invalid_argument("Wildcard model name '*' must be the ONLY startup model if specified at all.");
  if (config.paths.empty())
    if (const auto uri = environment("AIP_STORAGE_URI"); uri && !uri->empty()) config.paths.push_back(*uri);
  if (config.paths.empty()) return invalid_argument("--model-repository must be specified");
  if (is_multi_model(draft, environment)) {
    if (config.control.mode != ControlMode::kExplicit)
      return invalid_argument(
          "SAGEMAKER_MULTI_MODEL=true needs --model-control-mode=explicit: SageMaker loads the models");
    set_multi_model(config);
  }
  config.failed_models = draft.exit_on_error ? FailedModels::kEnd : FailedModels::kServeOn;
  config.ready_without_models = !draft.strict_readiness;
  config.auto_complete_config = draft.auto_complete && !draft.strict_model_config;
  config.control.poll_interval = std::chrono::seconds(std::max(1, draft.poll_seconds));
  config.load_threads = std::max(1, draft.load_threads);
  config.control.retries = {std::max(0, draft.load_retries), Duration::zero()};
  config.drain_timeout = std::chrono::seconds(std::clamp(draft.exit_timeout, 0, 86'400));
  config.limits.connection_age = std::chrono::milliseconds(std::max(0, draft.connection_age_ms));
  config.limits.connection_age_grace = std::chrono::milliseconds(std::max(0, draft.connection_age_grace_ms));
  if (draft.client_shared_memory) config.shared_memory_keys = {"/"};
  return ok_status();
}

/// As in Triton, what is of the other mode counts for nothing.
Status set_traces(TritonDraft& draft, const Environment& environment) {
  TraceConfig& trace = draft.launch.config.trace;
  if (draft.trace_off) trace.settings.level = kTraceOff;
  trace.service = "triton-inference-server";
  if (!trace.opentelemetry) {
    trace.given = {};
    return ok_status();
  }
  trace.file.clear();
  if ((trace.settings.level & kTraceTensors) != 0) {
    trace.settings.level &= static_cast<uint8_t>(~kTraceTensors);
    draft.launch.notices.push_back({"no tensors are traced", "--trace-config=level=TENSORS",
                                    "spans have none, in tritonserver neither; mode=triton writes them into a file"});
  }
  return apply_trace_environment([&](const std::string& name) { return environment(name.c_str()); },
                                 /*may_begin=*/false, trace);
}

void add_general_notices(TritonDraft& draft) {
  ServerConfig& config = draft.launch.config;
  if (!config.access.restrictions.empty() || !listens_beyond_loopback(config.listen)) return;
  std::string reason = "they ask for a header; --http-address=127.0.0.1 and --grpc-address=127.0.0.1 keep others out";
  if (draft.allow_sagemaker || draft.allow_vertex)
    reason +=
        "; MODELMILL_BIND=ADDRESS in the environment opens the ports for SageMaker and Vertex AI on that address alone";
  draft.launch.notices.push_back({"whoever reaches the ports may call everything, as with tritonserver",
                                  "--http-restricted-api, --grpc-restricted-protocol", std::move(reason)});
}

/// Of what SageMaker's variables ask for and is not there.
void add_sagemaker_notices(TritonDraft& draft, const Environment& environment) {
  constexpr std::string_view kReady = "ready";
  struct Variable {
    const char* name;
    std::string_view served;
    const char* reason;
  };
  constexpr Variable kVariables[] = {
      {"SAGEMAKER_TRITON_INFERENCE_TYPE", "infer",
       "/invocations infers; generate and generate_stream are served at /v2/models/NAME alone"},
      {"SAGEMAKER_TRITON_PING_MODE", kReady,
       "/ping is 200 when every model is served; whether the server lives is told at /v2/health/live"},
  };
  for (const Variable& variable : kVariables) {
    const std::string value = environment(variable.name).value_or("");
    const bool lives = variable.served == kReady && is_multi_model(draft, environment);
    const std::string_view served = lives ? "live" : variable.served;
    if (value.empty() || value == served) continue;
    draft.launch.notices.push_back(
        {"a variable of tritonserver is ignored", std::string(variable.name) + "=" + value, variable.reason});
  }
}

/// What SageMaker and Vertex AI ask for.
Status set_clouds(TritonDraft& draft, const Environment& environment) {
  ServerConfig& config = draft.launch.config;
  if (draft.allow_sagemaker) {
    config.default_model = environment("SAGEMAKER_TRITON_DEFAULT_MODEL_NAME").value_or("");
    add_sagemaker_notices(draft, environment);
  }
  if (!draft.allow_vertex) return ok_status();
  if (!draft.vertex_model.empty()) config.default_model = draft.vertex_model;
  config.cloud_routes = {environment("AIP_HEALTH_ROUTE").value_or(""), environment("AIP_PREDICT_ROUTE").value_or("")};
  config.vertex_redirect = true;
  for (const auto& [variable, path] :
       {std::pair("AIP_PREDICT_ROUTE", config.cloud_routes.predict), {"AIP_HEALTH_ROUTE", config.cloud_routes.health}})
    if (path.empty())
      return invalid_argument(std::string(variable) +
                              " is not defined for Vertex AI endpoint; set it in the environment, or give "
                              "--allow-vertex-ai=false");
  return ok_status();
}

/// What Triton's defaults are by the environment that Vertex AI makes.
Status take_vertex_defaults(TritonDraft& draft, const Environment& environment) {
  if (environment("AIP_MODE") == "PREDICTION") {
    draft.allow_vertex = true;
    draft.allow_http = false;
    draft.allow_grpc = false;
  }
  MM_ASSIGN_OR_RETURN(const int port, vertex_port([&](const std::string& name) { return environment(name.c_str()); }));
  if (port != 0) draft.vertex_port = port;
  return ok_status();
}

/// What is as in Triton where no flag says another thing.
TritonDraft fresh_draft() {
  TritonDraft draft;
  ServerConfig& config = draft.launch.config;
  config.server_name = "triton";
  config.root_reply = {404, "application/json", R"({"error":"Not Found"})"};
  config.control.mode = ControlMode::kNone;
  config.limits.http_body = kMaxInputSize;
  config.http_inflated = kMaxInputSize;
  config.shared_memory_bytes = kSharedMemoryBytes;
  config.grpc_compression = wire::GrpcCompression::kOff;
  config.series.tag_prefix = "_";
  config.pinned_pool_series = true;
  config.access.rules[static_cast<size_t>(wire::ApiGroup::kManagement)] = AccessRule();
  config.access.management_prefixes = {"/v2/", "/inference.GRPCInferenceService/"};
  return draft;
}

/// There is one cache, configured in one way.
Status settle_cache(TritonDraft& draft) {
  if (draft.old_cache_size && !draft.caches.empty())
    return invalid_argument("--response-cache-byte-size and --cache-config are incompatible flags; give one of them");
  if (draft.caches.size() > 1)
    return invalid_argument("--cache-config found multiple cache configurations, '" + *draft.caches.begin() +
                            "' and '" + *draft.caches.rbegin() + "'; there is a single cache, give one of them");
  if (draft.old_cache_size) draft.launch.config.response_cache.bytes = static_cast<uint64_t>(*draft.old_cache_size);
  return ok_status();
}

Status finish(TritonDraft& draft, const Environment& environment) {
  MM_RETURN_IF_ERROR(settle_cache(draft));
  MM_RETURN_IF_ERROR(set_models(draft, environment));
  if (const auto address = environment("MODELMILL_BIND"); address && !address->empty()) draft.cloud_address = *address;
  MM_RETURN_IF_ERROR(set_endpoints(draft));
  MM_RETURN_IF_ERROR(set_tls(draft));
  MM_RETURN_IF_ERROR(set_clouds(draft, environment));
  MM_RETURN_IF_ERROR(set_traces(draft, environment));
  add_general_notices(draft);
  return check_server_config(draft.launch.config);
}

Outcome parse(const std::vector<std::string>& arguments, const Environment& environment) {
  if (arguments.size() == 1 && arguments.front() == "--help-markdown")
    return Answer{0, flags_markdown(texts_of(triton_flags())), false};
  TritonDraft draft = fresh_draft();
  if (const Status status = take_vertex_defaults(draft, environment); !status.ok()) return complain(status.message());
  if (auto answer = take(arguments, draft)) return *std::move(answer);
  if (const Status status = finish(draft, environment); !status.ok()) return complain(status.message());
  return std::move(draft.launch);
}

}  // namespace

const std::vector<TritonFlag>& triton_flags() {
  static const std::vector<TritonFlag> flags = [] {
    std::vector<TritonFlag> all;
    for (const auto part : {triton_model_flags, triton_endpoint_flags, triton_watching_flags, triton_machine_flags}) {
      std::vector<TritonFlag> some = part();
      all.insert(all.end(), some.begin(), some.end());
    }
    return all;
  }();
  return flags;
}

const Personality kTritonServer = {kName, parse, 1, "", false};

}  // namespace modelmill::personality
