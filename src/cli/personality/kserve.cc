#include <algorithm>
#include <cctype>
#include <filesystem>
#include <utility>

#include "cli/personality/flag_reference.h"
#include "cli/personality/kserve_draft.h"
#include "cli/suggestion.h"
#include "server/version.h"

namespace modelmill::personality {
namespace {

namespace fs = std::filesystem;

constexpr char kName[] = "kserve";
constexpr int kUsage = 2;  // of Python's argparse

Answer complain(const std::string& message) {
  return {kUsage, std::string(kName) + ": error: " + message + "\nRun 'modelmill --as " + kName +
                      " --help' for what there is.\n"};
}

/// Some runtimes take dashes for underscores, so all do here.
std::string with_underscores(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

/// The flag of a name, or the only one that begins like this.
const KserveFlag* find(const std::string& given, std::string& problem) {
  const std::string name = with_underscores(given);
  std::vector<const KserveFlag*> found;
  for (const KserveFlag& flag : kserve_flags()) {
    const std::string whole = with_underscores(std::string(flag.name));
    if (whole == name) return &flag;
    if (whole.starts_with(name)) found.push_back(&flag);
  }
  if (found.size() == 1 && !name.empty()) return found.front();
  if (found.size() > 1 && !name.empty()) {
    problem = "ambiguous option: --" + given + " could match";
    for (const KserveFlag* flag : found) problem += (flag == found.front() ? " --" : ", --") + std::string(flag->name);
  } else {
    problem = "unrecognized arguments: --" + given + suggestion("--" + given, dashed_names(texts_of(kserve_flags())));
  }
  return nullptr;
}

std::optional<Answer> take(const std::vector<std::string>& arguments, KserveDraft& draft) {
  std::vector<const KserveFlag*> ignored;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--help" || argument == "-h")
      return Answer{
          0, "usage: kserve [--model_name NAME] [--model_dir FOLDER] ...\n\n" + flags_usage(texts_of(kserve_flags())),
          false};
    if (argument == "--version") return Answer{0, std::string("kserve: modelmill ") + server_version() + "\n", false};
    if (!argument.starts_with("--")) return complain("unrecognized arguments: " + argument);
    const size_t equals = argument.find('=');
    std::string problem;
    const KserveFlag* const flag = find(argument.substr(2, equals == std::string::npos ? equals : equals - 2), problem);
    if (flag == nullptr) return complain(problem);
    const std::string name = "argument --" + std::string(flag->name) + ": ";
    std::string value;
    if (flag->value == FlagValue::kNone) {
      if (equals != std::string::npos)
        return complain(name + "ignored explicit argument '" + argument.substr(equals + 1) + "'");
    } else if (equals != std::string::npos) {
      value = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size() && !arguments[i + 1].starts_with("--")) {
      value = arguments[++i];
    } else {
      return complain(name + "expected one argument");
    }
    if (const Status status = flag->apply(draft, value); !status.ok()) return complain(name + status.message());
    if (flag->taken == Taken::kIgnored && std::find(ignored.begin(), ignored.end(), flag) == ignored.end())
      ignored.push_back(flag);
  }
  for (const KserveFlag* flag : ignored) draft.launch.notices.push_back(ignored_notice(kName, *flag));
  return std::nullopt;
}

/// The models of a folder where each has a folder of its own, as NAME=PATH; none where there are files, or versions.
std::vector<std::string> models_below(const std::string& path) {
  std::error_code error;
  std::vector<std::string> models;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.starts_with('.') || name == "lost+found") continue;
    const bool version = std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
    std::error_code unreadable;
    if (version || !it->is_directory(unreadable)) return {};
    models.push_back(name + "=" + it->path().string());
  }
  std::sort(models.begin(), models.end());
  return models;
}

void set_models(KserveDraft& draft, const Environment& environment) {
  ServerConfig& config = draft.launch.config;
  constexpr std::string_view kLocal = "file://";
  if (draft.model_dir.starts_with(kLocal)) draft.model_dir.erase(0, kLocal.size());
  config.paths = models_below(draft.model_dir);
  if (config.paths.empty()) config.paths = {draft.model_name + "=" + draft.model_dir};
  config.failed_models = FailedModels::kEnd;
  config.listen_when_loaded = true;
  config.control.mode = ControlMode::kExplicit;
  config.control.load_models = {"*"};
  if (draft.workers > 1) config.instances = draft.workers;
  config.instance_threads = draft.threads;
  // What KServe asks an estimator, and what its clients send.
  std::string probabilities = environment("PREDICT_PROBA").value_or("false");
  std::transform(probabilities.begin(), probabilities.end(), probabilities.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  config.model_parameters["outputs"] = probabilities == "true" ? "predict_proba" : "predict";
  config.model_parameters["input_type"] = "FP32";
}

Status set_endpoints(KserveDraft& draft) {
  ServerConfig& config = draft.launch.config;
  for (const int port : {draft.http_port, draft.grpc_port})
    if (port > 65'535) return invalid_argument("there is no port " + std::to_string(port));
  if (draft.grpc && draft.grpc_port == draft.http_port && draft.http_port != 0)
    return invalid_argument("--http_port and --grpc_port must differ, both are " + std::to_string(draft.http_port));
  const auto add = [&](int port, const wire::Services& serves) {
    config.listen.push_back({wire::Endpoint::Scheme::kHttp, draft.address, static_cast<uint16_t>(port), "", serves});
  };
  add(draft.http_port, {.http = true, .grpc = false, .metrics = true});
  if (draft.grpc) add(draft.grpc_port, {.http = false, .grpc = true, .metrics = false});
  if (listens_beyond_loopback(config.listen))
    draft.launch.notices.push_back({"whoever reaches the ports may call everything, as with KServe's runtimes",
                                    "MODELMILL_BIND",
                                    "in the environment is the address that they are opened on, such as 127.0.0.1"});
  return ok_status();
}

/// What the environment says of the log, as of Python's levels.
void set_log(KserveDraft& draft, const Environment& environment) {
  std::string level = environment("KSERVE_LOGLEVEL").value_or("");
  std::transform(level.begin(), level.end(), level.begin(), [](unsigned char c) { return std::toupper(c); });
  LogSetup& log = draft.launch.log;
  log.debug = level == "DEBUG";
  log.error = level != "CRITICAL";
  log.warning = log.error && level != "ERROR";
  log.info = log.warning && level != "WARNING";
}

Status finish(KserveDraft& draft, const Environment& environment) {
  ServerConfig& config = draft.launch.config;
  config.server_name = kName;
  config.kserve_runtime = true;
  config.root_reply = {200, "application/json", R"({"status":"alive"})"};
  config.access.rules[static_cast<size_t>(wire::ApiGroup::kManagement)] = AccessRule();
  config.access.management_prefixes = {"/v2/repository/", "/inference.GRPCInferenceService/Repository"};
  if (draft.message_bytes > 0) config.limits.grpc_message = static_cast<size_t>(draft.message_bytes);
  if (draft.keep_alive_seconds >= 0) config.limits.idle_timeout = std::chrono::seconds(draft.keep_alive_seconds);
  if (const auto address = environment("MODELMILL_BIND"); address && !address->empty()) draft.address = *address;
  set_log(draft, environment);
  set_models(draft, environment);
  MM_RETURN_IF_ERROR(set_endpoints(draft));
  return check_server_config(config);
}

Outcome parse(const std::vector<std::string>& arguments, const Environment& environment) {
  if (arguments.size() == 1 && arguments.front() == "--help-markdown")
    return Answer{0, flags_markdown(texts_of(kserve_flags())), false};
  KserveDraft draft;
  if (auto answer = take(arguments, draft)) return *std::move(answer);
  if (const Status status = finish(draft, environment); !status.ok()) return complain(status.message());
  return std::move(draft.launch);
}

}  // namespace

const Personality kKserve = {kName, parse, 1, "", false};

}  // namespace modelmill::personality
