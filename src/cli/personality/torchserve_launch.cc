#include <strings.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "cli/personality/secret_file.h"
#include "cli/personality/torchserve_config.h"
#include "cli/personality/torchserve_draft.h"
#include "cli/personality/torchserve_keys.h"
#include "cli/personality/torchserve_keystore.h"
#include "cli/personality/ts_config_option.h"
#include "dialect/torchserve/answers.h"
#include "repository/model_files.h"
#include "repository/torchserve_properties.h"

namespace modelmill::personality {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAnyUrl = "http(s)?://.*";
constexpr const char* kUsualConfig = "config.properties";

bool is_file(const std::string& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool is_folder(const std::string& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

/// What the launcher looks at before it starts anything, in its words.
Status check_places(const TorchServeDraft& draft, const Environment& environment) {
  const auto check_file = [](const char* flag, const std::string& file) {
    if (file.empty() || is_file(file)) return ok_status();
    return not_found(std::string(flag) + " file not found: " + fs::absolute(file).string());
  };
  MM_RETURN_IF_ERROR(check_file("--log-config", draft.log_config));
  MM_RETURN_IF_ERROR(check_file("--cpp-log-config", draft.cpp_log_config));
  const auto temp = environment("TEMP");
  if (temp && !temp->empty() && !is_folder(*temp))
    return not_found("Invalid temp directory: " + *temp + ", please check TEMP environment variable.");
  if (!draft.workflow_store.empty() && !is_folder(draft.workflow_store))
    return not_found("--workflow-store directory not found: " + draft.workflow_store);
  return ok_status();
}

std::string snapshot_folder(const Environment& environment) {
  return environment("LOG_LOCATION").value_or("logs") + "/config";
}

/// The newest snapshot that a TorchServe has written; they are named for their time. Empty: there is none.
std::string last_snapshot(const std::string& folder) {
  std::string last;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().extension() == ".cfg") last = std::max(last, it->path().filename().string());
  return last.empty() ? last : folder + "/" + last;
}

/// The file of the configuration; empty: there is none.
Result<std::string> find_source(const TorchServeDraft& draft, const Environment& environment) {
  const std::string said = environment("TS_CONFIG_FILE").value_or(draft.config);
  if (!said.empty()) {
    if (!is_file(said)) return not_found("--ts-config file not found: " + said);
    return said;
  }
  if (!draft.no_snapshots) {
    const std::string last = last_snapshot(snapshot_folder(environment));
    if (!last.empty()) return last;
  }
  return std::string(is_file(kUsualConfig) ? kUsualConfig : "");
}

Result<Properties> read_source(const std::string& file) {
  constexpr uint64_t kLimit = 16 << 20;
  if (file.empty()) return Properties();
  MM_ASSIGN_OR_RETURN(const std::string text, read_file(file, kLimit));
  Result<Properties> properties = parse_properties(text);
  if (!properties.ok()) return properties.status().with_context("file '" + file + "'");
  return properties;
}

/// The models to load whose file there is not, and those at URLs that may not be loaded; they are taken out of the
/// list.
struct LeftOut {
  std::vector<std::string> missing;
  std::vector<std::string> refused;
};

LeftOut leave_out_models(Properties& properties) {
  LeftOut out;
  const auto found = properties.find("load_models");
  if (found == properties.end()) return out;
  const fs::path store = properties.find("model_store")->second;
  const auto allowed = properties.find("allowed_urls");
  std::string rest;
  for (const std::string& model : comma_list(found->second)) {
    const std::string file = url_of_entry(model);  // all of it without a name
    const bool word = strcasecmp(file.c_str(), "all") == 0 || strcasecmp(file.c_str(), "standalone") == 0;
    std::error_code error;
    if (is_url_entry(model)) {
      const auto may = is_allowed_url(file, allowed == properties.end() ? nullptr : &allowed->second);
      if (file.starts_with("file:") || (may.ok() && !*may)) {
        out.refused.push_back(file);
        continue;
      }
    } else if (!word && !fs::exists(store / file, error)) {
      out.missing.push_back(file);
      continue;
    }
    rest += (rest.empty() ? "" : ",") + model;
  }
  if (rest.empty())
    properties.erase(found);
  else
    found->second = rest;
  return out;
}

/// What counts of the file, the command line and the environment, each more than the one before.
Result<Properties> lay_over(const TorchServeDraft& draft, Properties properties, const Variables& variables) {
  MM_ASSIGN_OR_RETURN(properties, resolve_properties(std::move(properties), {}, variables));
  if (!draft.model_store.empty()) properties["model_store"] = draft.model_store;
  if (!draft.workflow_store.empty()) properties["workflow_store"] = draft.workflow_store;
  std::string list;
  for (const std::string& model : draft.models) list += (list.empty() ? "" : ",") + model;
  if (!list.empty()) properties["load_models"] = list;
  if (draft.model_api) properties["enable_model_api"] = "true";
  if (draft.no_tokens) properties["disable_token_authorization"] = "true";
  std::vector<std::string_view> names;
  for (const TorchServeKey& key : torchserve_keys()) names.push_back(key.name);
  MM_ASSIGN_OR_RETURN(properties, resolve_properties(std::move(properties), names, variables));
  properties.erase("enable_envvars_config");  // it has been done
  const auto store = properties.find("model_store");
  if (store == properties.end() || store->second.empty())
    return invalid_argument("Missing mandatory parameter --model-store");
  if (!is_folder(store->second)) return not_found("--model-store directory not found: " + store->second);
  return properties;
}

bool is_true(const Properties& properties, std::string_view key) {
  const auto found = properties.find(key);
  return found != properties.end() && is_java_true(found->second);
}

void add_warnings(const Properties& properties, bool any_url, Launch& launch) {
  const bool tokens = !is_true(properties, "disable_token_authorization");
  if (!tokens && listens_beyond_loopback(launch.config.listen))
    launch.notices.push_back({"whoever reaches the ports may call everything, as with torchserve",
                              "--disable-token-auth",
                              "without it, and without disable_token_authorization in the configuration, each call "
                              "needs a key of key_file.json"});
  if (any_url)
    launch.notices.push_back({"clients may have models loaded from any URL, as with torchserve", "allowed_urls",
                              "this key of config.properties says what URLs begin with; without --enable-model-api "
                              "clients load nothing"});
}

void add_notices(const LeftOut& left_out, const std::string& source, std::vector<std::string> warnings,
                 Launch& launch) {
  for (const std::string& missing : left_out.missing)
    launch.notices.push_back(
        {"a model is not loaded: there is no '" + missing + "' in the model store", "--models", "see --model-store"});
  for (const std::string& url : left_out.refused)
    launch.notices.push_back({"a model is not loaded: '" + url + "' is not allowed", "--models", "see allowed_urls"});
  for (std::string& warning : warnings)
    launch.notices.push_back(
        {std::move(warning), source.empty() ? "the command line" : source, "see the table of its keys"});
}

}  // namespace

Result<Launch> torchserve_launch(const TorchServeDraft& draft, const Environment& environment) {
  MM_RETURN_IF_ERROR(check_places(draft, environment));
  MM_ASSIGN_OR_RETURN(const std::string source, find_source(draft, environment));
  MM_ASSIGN_OR_RETURN(Properties properties, read_source(source));
  const Variables variables = [&environment](const std::string& name) { return environment(name.c_str()); };
  const bool by_environment = is_true(properties, "enable_envvars_config");
  MM_ASSIGN_OR_RETURN(properties, lay_over(draft, std::move(properties), variables));
  TorchserveSnapshotConfig snapshots;
  if (!draft.no_snapshots) snapshots = {snapshot_folder(environment), properties["model_store"], properties};
  if (!source.empty()) snapshots.properties["tsConfigFile"] = source;
  if (by_environment) snapshots.properties["enable_envvars_config"] = "true";  // it counts again at the next start
  const bool open = is_true(properties, "enable_model_api");
  const bool any_url = open && !properties.contains("allowed_urls");
  if (any_url) properties["allowed_urls"] = kAnyUrl;
  const LeftOut left_out = leave_out_models(properties);
  const std::string where = source.empty() ? "the command line" : "file '" + source + "'";
  Result<Properties> with_tls = with_keystore(std::move(properties), variables);
  if (!with_tls.ok()) return with_tls.status().with_context(where);
  properties = *std::move(with_tls);
  // What the command line and the file say together is read as a file by who looks for models.
  MM_ASSIGN_OR_RETURN(const std::string file, keep_in_memory("config.properties", properties_text(properties)));

  Result<TorchServeTranslation> translated = translate_torchserve_config(file, properties, variables, /*presets=*/true);
  if (!translated.ok()) return translated.status().with_context(where);
  Launch launch;
  ServerConfig& config = launch.config;
  if (const Status status = apply_serve_arguments(translated->arguments, config); !status.ok())
    return status.with_context(where);
  for (size_t i = 0; i < config.listen.size() && i < translated->services.size(); ++i)
    config.listen[i].serves = translated->services[i];
  launch.log.debug = config.log_level == LogLevel::kDebug;
  config.paths = {file};
  config.control.mode = open ? ControlMode::kExplicit : ControlMode::kNone;
  if (open) config.control.load_models = {"*"};
  config.failed_models = FailedModels::kServeOn;
  config.allow_url_code = true;  // as there, what may be loaded may be run
  config.torchserve_metrics = true;
  config.torchserve_workers = true;
  config.torchserve_snapshots = std::move(snapshots);
  const torchserve::Failure refused = torchserve::failure_of(torchserve::method_not_allowed());
  config.root_reply = {refused.status, "application/json", torchserve::failure_json(refused)};
  config.access.rules[static_cast<size_t>(wire::ApiGroup::kManagement)] = AccessRule();
  config.access.management_prefixes = {"/models",
                                       "/workflows",
                                       "/token",
                                       "/torchserve/models",
                                       "/torchserve/workflows",
                                       "/torchserve/token",
                                       "/org.pytorch.serve.grpc.management."};
  add_notices(left_out, source, std::move(translated->warnings), launch);
  add_warnings(properties, any_url, launch);
  MM_RETURN_IF_ERROR(check_server_config(config));
  return launch;
}

}  // namespace modelmill::personality
