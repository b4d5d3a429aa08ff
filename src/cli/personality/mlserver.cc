#include <algorithm>
#include <filesystem>
#include <utility>

#include "cli/personality/dotenv.h"
#include "cli/personality/flag_reference.h"
#include "cli/personality/mlserver_draft.h"
#include "cli/suggestion.h"
#include "server/version.h"

namespace modelmill::personality {
namespace {

namespace fs = std::filesystem;

constexpr char kName[] = "mlserver";
constexpr int kUsage = 2;  // of Python's click

Answer complain(const std::string& message) {
  return {kUsage, "Usage: mlserver start FOLDER\nTry 'mlserver --help' for help.\n\nError: " + message + "\n"};
}

/// What a command of the original is done with here; empty: there is none of that name.
std::string instead_of(const std::string& command) {
  if (command == "build" || command == "dockerfile")
    return "images are built by your own tools: put the models and modelmill into one, with `mlserver start FOLDER` as "
           "its command";
  if (command == "init") return "a model needs no project: write a Python file, and see docs/python.md";
  if (command == "infer") return "ask the server with `modelmill predict`, or any client of KServe V2";
  return {};
}

std::string help_text() {
  std::string out =
      "Usage: mlserver [--version] [--help] start FOLDER\n\nFOLDER has models, each a folder with a "
      "model-settings.json, and may have a settings.json.\nThe fields of that, which are also MLSERVER_FIELD in the "
      "environment:\n";
  for (const MlserverSetting& setting : mlserver_settings())
    out += "  " + std::string(setting.name) + (setting.taken == Taken::kIgnored ? " (ignored)" : "") + "\n";
  return out;
}

bool has_models(const std::string& folder) {
  std::error_code error;
  constexpr auto kLinksToo = fs::directory_options::follow_directory_symlink;
  for (fs::recursive_directory_iterator it(folder, kLinksToo, error), end; !error && it != end; it.increment(error))
    if (it->path().filename() == "model-settings.json") return true;
  return false;
}

/// FOLDER; or, when nothing there is a model, the one that the environment names.
std::string models_path(const std::string& folder, const Environment& environment) {
  const auto uri = environment("MLSERVER_MODEL_URI");
  if (!uri || uri->empty() || has_models(folder)) return folder;
  const std::string name = environment("MLSERVER_MODEL_NAME").value_or("");
  return name.empty() ? *uri : name + "=" + *uri;
}

void set_endpoints(MlserverDraft& draft) {
  ServerConfig& config = draft.launch.config;
  const auto add = [&](int port, const wire::Services& serves) {
    config.listen.push_back({wire::Endpoint::Scheme::kHttp, draft.host, static_cast<uint16_t>(port), "", serves});
  };
  const bool joined = draft.metrics && draft.metrics_port == draft.http_port && draft.http_port != 0;
  add(draft.http_port, {.http = true, .grpc = false, .metrics = joined});
  add(draft.grpc_port, {.http = false, .grpc = true, .metrics = false});
  if (draft.metrics && !joined) add(draft.metrics_port, {.http = false, .grpc = false, .metrics = true});
}

Status finish(const std::string& folder, const Environment& environment, MlserverDraft& draft) {
  ServerConfig& config = draft.launch.config;
  config.paths = {models_path(folder, environment)};
  config.failed_models = FailedModels::kEnd;
  config.control.mode = ControlMode::kExplicit;
  if (draft.load_models)
    config.control.load_models = {"*"};
  else
    config.failed_models = FailedModels::kServeOn;
  if (draft.parallel_workers > 1) config.instances = draft.parallel_workers;
  if (draft.stop_seconds >= 0) config.drain_timeout = std::chrono::seconds(draft.stop_seconds);
  if (draft.message_bytes > 0) config.limits.grpc_message = static_cast<size_t>(draft.message_bytes);
  if (draft.metrics) config.mlserver_metrics_prefix = draft.metrics_prefix;
  if (draft.cache) config.response_cache.entries = static_cast<uint64_t>(draft.cache_size);
  if (draft.structured_log) config.log_format = LogFormat::kJson;
  draft.launch.log.debug = draft.debug;
  if (draft.grpc_port == draft.http_port && draft.http_port != 0)
    return invalid_argument("'http_port' and 'grpc_port' must differ, both are " + std::to_string(draft.http_port));
  set_endpoints(draft);
  config.access.rules[static_cast<size_t>(wire::ApiGroup::kManagement)] = AccessRule();
  config.access.management_prefixes = {"/v2/repository/", "/inference.GRPCInferenceService/Repository"};
  if (listens_beyond_loopback(config.listen))
    draft.launch.notices.push_back({"whoever reaches the ports may call everything, as with mlserver", "host",
                                    "of settings.json, or MLSERVER_HOST, is the address that they are opened on, such "
                                    "as 127.0.0.1"});
  return check_server_config(config);
}

Outcome start(const std::vector<std::string>& arguments, const Environment& environment) {
  if (arguments.empty()) return complain("Missing argument 'FOLDER'.");
  for (const std::string& argument : arguments) {
    if (argument == "--help") return Answer{0, help_text(), false};
    if (argument.starts_with("--")) return complain("No such option: " + argument);
  }
  if (arguments.size() > 1) return complain("Got unexpected extra argument (" + arguments[1] + ")");
  const std::string& folder = arguments.front();
  std::error_code error;
  if (!fs::is_directory(folder, error)) return complain("Invalid value for 'FOLDER': '" + folder + "' is no folder");
  MlserverDraft draft;
  draft.launch.config.server_name = kName;
  draft.launch.config.root_reply = {404, "application/json", R"({"detail":"Not Found"})"};
  std::vector<const MlserverSetting*> ignored;
  const auto whole = with_dotenv(".env", environment);
  Status status = whole.status();
  if (status.ok()) status = read_mlserver_settings(folder, *whole, draft, ignored);
  if (status.ok()) status = finish(folder, *whole, draft);
  if (!status.ok()) return Answer{1, std::string(kName) + ": " + status.message() + "\n"};
  for (const MlserverSetting* setting : ignored)
    draft.launch.notices.push_back(
        {"a setting of mlserver is ignored", std::string(setting->name), std::string(setting->note)});
  return std::move(draft.launch);
}

Outcome parse(const std::vector<std::string>& arguments, const Environment& environment) {
  if (arguments.empty() || arguments.front() == "--help")
    return Answer{arguments.empty() ? kUsage : 0, help_text(), false};
  const std::string& command = arguments.front();
  if (command == "--help-markdown") return Answer{0, settings_markdown(texts_of(mlserver_settings())), false};
  if (command == "--version")
    return Answer{0, std::string("mlserver, version modelmill ") + server_version() + "\n", false};
  if (command == "start") return start({arguments.begin() + 1, arguments.end()}, environment);
  if (const std::string instead = instead_of(command); !instead.empty())
    return Answer{1, "mlserver: '" + command + "' is not done by modelmill; " + instead + "\n"};
  if (command.starts_with("-")) return complain("No such option: " + command);
  return complain("No such command '" + command + "'" +
                  suggestion(command, {"start", "build", "dockerfile", "init", "infer"}));
}

}  // namespace

const Personality kMlserver = {kName, parse, 1, "", false};

}  // namespace modelmill::personality
