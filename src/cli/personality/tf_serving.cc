#include <algorithm>
#include <array>
#include <utility>

#include "cli/personality/flag_reference.h"
#include "cli/personality/personality.h"
#include "cli/personality/secret_file.h"
#include "cli/personality/tf_serving_draft.h"
#include "cli/suggestion.h"
#include "model/tf_serving_files.h"
#include "server/version.h"

namespace modelmill::personality {
namespace {

constexpr char kName[] = "tensorflow_model_server";
constexpr int kFailure = 255;  // of a main() that returns -1

/// So that a time from now on is still one.
constexpr std::chrono::microseconds kLongestRetryInterval = std::chrono::hours(24 * 365);

/// What the paths of HTTP's other protocols begin with.
constexpr std::array<std::string_view, 21> kSegments = {
    "",           "openai",  "openapi.json", "protos", "v1",          "v2",           "tfserving",       "kserve",
    "predict",    "metrics", "admin",        "ping",   "predictions", "explanations", "api-description", "models",
    "torchserve", "explain", "invocations",  "health", "version"};

Answer complain(const std::string& message) {
  return {kFailure,
          std::string(kName) + ": " + message + "\nRun 'modelmill --as " + kName + " --help' for what there is.\n"};
}

const TfServingFlag* find(std::string_view name) {
  for (const TfServingFlag& flag : tf_serving_flags())
    if (flag.name == name) return &flag;
  return nullptr;
}

/// A flag of the command line with its value; else what is wrong with it.
struct Read {
  const TfServingFlag* flag = nullptr;
  std::string value;
  std::string problem;
};

/// --flag=value; of a boolean also --flag.
Read read(const std::string& argument) {
  const size_t equals = argument.find('=');
  const std::string word = argument.substr(0, equals);
  const TfServingFlag* const flag = word.starts_with("--") ? find(word.substr(2)) : nullptr;
  if (flag == nullptr)
    return {nullptr, "",
            "unknown argument: " + argument + suggestion(word, dashed_names(texts_of(tf_serving_flags())))};
  if (equals != std::string::npos) {
    const std::string value = argument.substr(equals + 1);
    if (flag->value == FlagValue::kBool && value != "true" && value != "false")
      return {nullptr, "", "Couldn't interpret value =" + value + " for flag " + std::string(flag->name) + "."};
    return {flag, value, ""};
  }
  if (flag->value == FlagValue::kBool) return {flag, "true", ""};
  return {nullptr, "", "the flag " + word + " needs a value, as " + word + "=" + std::string(flag->example)};
}

std::optional<Answer> take(const std::vector<std::string>& arguments, TfServingDraft& draft) {
  std::vector<const TfServingFlag*> ignored;
  for (const std::string& argument : arguments) {
    if (argument == "--help")
      return Answer{kFailure, "usage: tensorflow_model_server\nFlags:\n" + flags_usage(texts_of(tf_serving_flags())),
                    false};
    const Read taken = read(argument);
    if (taken.flag == nullptr) return complain(taken.problem);
    if (!taken.flag->apply(draft, taken.value).ok())
      return complain("Couldn't interpret value " + taken.value + " for flag " + std::string(taken.flag->name) + ".");
    if (taken.flag->taken == Taken::kIgnored && std::find(ignored.begin(), ignored.end(), taken.flag) == ignored.end())
      ignored.push_back(taken.flag);
  }
  for (const TfServingFlag* flag : ignored) draft.launch.notices.push_back(ignored_notice(kName, *flag));
  return std::nullopt;
}

Status set_models(TfServingDraft& draft) {
  ServerConfig& config = draft.launch.config;
  if (draft.base_path.empty() && draft.config_file.empty())
    return invalid_argument("Both --model_base_path and --model_config_file are empty!");
  if (!draft.batching_file.empty() && !draft.batching)
    return invalid_argument("--batching_parameters_file is set without setting --enable_batching to true.");
  if (draft.session_parallelism > 0 && draft.intra_op_parallelism > 0 && draft.inter_op_parallelism > 0)
    return invalid_argument(
        "Either configure --tensorflow_session_parallelism or (--tensorflow_intra_op_parallelism, "
        "--tensorflow_inter_op_parallelism) separately. You cannot configure all.");
  if (draft.config_file.empty())
    config.paths = {draft.model_name + "=" + draft.base_path};
  else
    config.model_config_file = draft.config_file;
  config.batching_parameters_file = draft.batching_file;
  config.own_batching = draft.own_batching && draft.batching;
  config.tf_run_series = true;
  config.tf_batching = draft.batching;
  if (!draft.tags.empty()) config.model_parameters["TF_GRAPH_TAG"] = draft.tags;
  if (draft.inter_op_parallelism > 0)
    config.model_parameters["TF_NUM_INTER_THREADS"] = std::to_string(draft.inter_op_parallelism);
  config.instance_threads =
      std::max(0, draft.intra_op_parallelism > 0 ? draft.intra_op_parallelism : draft.session_parallelism);
  config.load_threads = std::max(1, draft.load_threads);
  config.failed_models = FailedModels::kEnd;
  config.control.start_awaits_retries = true;
  config.control.retries.count = std::max(0, draft.load_retries);
  config.control.retries.interval =
      std::chrono::microseconds(std::clamp<int64_t>(draft.retry_interval_us, 0, kLongestRetryInterval.count()));
  config.control.mode = draft.poll_seconds > 0 ? ControlMode::kWatch : ControlMode::kExplicit;
  if (config.control.mode == ControlMode::kExplicit) config.control.load_models = {"*"};
  return ok_status();
}

Status set_monitoring(TfServingDraft& draft, bool& enabled) {
  if (draft.monitoring_file.empty()) return ok_status();
  MM_ASSIGN_OR_RETURN(const TfMonitoringConfig monitoring, read_tf_monitoring_file(draft.monitoring_file));
  enabled = monitoring.enable;
  if (!enabled || monitoring.path.empty()) return ok_status();
  if (!monitoring.path.starts_with('/'))
    return invalid_argument(draft.monitoring_file + ": the path '" + monitoring.path + "' must begin with '/'");
  const std::string segment = monitoring.path.substr(1, monitoring.path.find('/', 1) - 1);
  if (std::find(kSegments.begin(), kSegments.end(), segment) != kSegments.end())
    return invalid_argument(draft.monitoring_file + ": the path '" + monitoring.path +
                            "' is taken by a page of modelmill's own; choose another, such as /tf/metrics");
  draft.launch.config.tf_metrics_path = monitoring.path;
  return ok_status();
}

Status set_tls(TfServingDraft& draft) {
  if (draft.alts)
    return invalid_argument("--use_alts_credentials is not served: ALTS is not spoken here; use --ssl_config_file");
  if (draft.ssl_file.empty()) return ok_status();
  MM_ASSIGN_OR_RETURN(const TfSslConfig ssl, read_tf_ssl_file(draft.ssl_file));
  if (ssl.server_key.empty() || ssl.server_cert.empty())
    return invalid_argument(draft.ssl_file + ": server_key and server_cert must both be given, as PEM");
  if (ssl.client_verify && ssl.custom_ca.empty())
    return invalid_argument(draft.ssl_file +
                            ": client_verify needs custom_ca, the authorities of clients' certificates");
  wire::TlsOptions& tls = draft.launch.config.tls;
  MM_ASSIGN_OR_RETURN(tls.key, keep_in_memory("server_key", ssl.server_key));
  MM_ASSIGN_OR_RETURN(tls.certificate, keep_in_memory("server_cert", ssl.server_cert));
  if (ssl.client_verify) {
    MM_ASSIGN_OR_RETURN(tls.client_ca, keep_in_memory("custom_ca", ssl.custom_ca));
  }
  return ok_status();
}

Status set_endpoints(TfServingDraft& draft) {
  using Scheme = wire::Endpoint::Scheme;
  for (const int port : {draft.port, draft.rest_port})
    if (port < 0 || port > 65'535) return invalid_argument("there is no port " + std::to_string(port));
  if (draft.port == 0 && draft.socket_path.empty())
    return invalid_argument("At least one of --port or --grpc_socket_path must be set.");
  bool metrics = false;
  MM_RETURN_IF_ERROR(set_monitoring(draft, metrics));
  MM_RETURN_IF_ERROR(set_tls(draft));
  ServerConfig& config = draft.launch.config;
  config.server_name = kName;
  config.tf_rest_timeout = std::chrono::milliseconds(std::max(0, draft.rest_timeout_ms));
  config.root_reply = {404, "text/html",
                       "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"};
  const wire::Services grpc{.http = false, .grpc = true, .metrics = false};
  const Scheme scheme = config.tls.enabled() ? Scheme::kHttps : Scheme::kHttp;
  if (draft.port != 0) config.listen.push_back({scheme, draft.address, static_cast<uint16_t>(draft.port), "", grpc});
  if (!draft.socket_path.empty()) config.listen.push_back({Scheme::kAny, "", 0, draft.socket_path, grpc});
  if (draft.rest_port == draft.port && draft.port != 0) {
    draft.launch.notices.push_back({"HTTP is not served", "--rest_api_port", "it is the same as --port"});
  } else if (draft.rest_port != 0) {
    config.listen.push_back({Scheme::kHttp,
                             draft.address,
                             static_cast<uint16_t>(draft.rest_port),
                             "",
                             {.http = true, .grpc = false, .metrics = metrics}});
  }
  if (draft.cors) config.access.cors_origins = {"*"};
  if (config.tls.client_ca.empty() && listens_beyond_loopback(config.listen))
    draft.launch.notices.push_back(
        {"whoever reaches the ports may call everything, as with tensorflow_model_server", "--ssl_config_file",
         "with client_verify it asks clients of gRPC for a certificate; without --rest_api_port there is no HTTP; "
         "MODELMILL_BIND=ADDRESS in the environment opens the ports on that address alone"});
  return ok_status();
}

TfServingDraft fresh_draft() {
  TfServingDraft draft;
  ServerConfig& config = draft.launch.config;
  config.grpc_compression = wire::GrpcCompression::kOff;
  config.access.rules[static_cast<size_t>(wire::ApiGroup::kManagement)] = AccessRule();
  config.access.management_prefixes = {"/tensorflow.serving.ModelService/"};
  return draft;
}

Status finish(TfServingDraft& draft) {
  MM_RETURN_IF_ERROR(set_models(draft));
  MM_RETURN_IF_ERROR(set_endpoints(draft));
  return check_server_config(draft.launch.config);
}

Outcome parse(const std::vector<std::string>& arguments, const Environment& environment) {
  if (arguments.size() == 1 && arguments.front() == "--help-markdown")
    return Answer{0, flags_markdown(texts_of(tf_serving_flags())), false};
  TfServingDraft draft = fresh_draft();
  if (const auto address = environment("MODELMILL_BIND"); address && !address->empty()) draft.address = *address;
  if (auto answer = take(arguments, draft)) return *std::move(answer);
  if (draft.version)
    return Answer{0, std::string("TensorFlow ModelServer: modelmill ") + server_version() + "\n", false};
  if (const Status status = finish(draft); !status.ok())
    return Answer{kFailure, "Failed to start server. Error: " + status.message() + "\n", false};
  return std::move(draft.launch);
}

}  // namespace

const Personality kTensorFlowModelServer = {kName, parse, kFailure, "Failed to start server. Error: ", true};

}  // namespace modelmill::personality
