#include "cli/personality/torchserve_config.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "cli/personality/torchserve_addresses.h"
#include "cli/personality/torchserve_keys.h"

namespace modelmill {
namespace {

Status wrong(std::string_view key, const std::string& value, const std::string& expected) {
  return invalid_argument("'" + std::string(key) + "' must be " + expected + ", not '" + value + "'");
}

class Translator {
 public:
  Translator(std::string file, Properties properties, const Variables& variables, bool presets)
      : file_(std::move(file)), properties_(std::move(properties)), variables_(variables), presets_(presets) {}

  Result<TorchServeTranslation> run() {
    MM_RETURN_IF_ERROR(resolve());
    MM_RETURN_IF_ERROR(check());
    MM_RETURN_IF_ERROR(put_addresses(properties_, out_));
    MM_RETURN_IF_ERROR(put_startup());
    put_options();
    put_ages();
    put_sequence_keys();
    put_switches();
    put_urls();
    return std::move(out_);
  }

 private:
  bool is(std::string_view key, bool value) const {
    const auto found = properties_.find(key);
    return found != properties_.end() && is_java_true(found->second) == value;
  }

  Status resolve();
  Status check();
  Status put_startup();
  void put_options();
  void put_ages();
  void put_sequence_keys();
  void put_switches();
  void put_urls();
  void add(std::string_view option, std::string_view value) {
    out_.arguments.push_back(std::string(option) + "=" + std::string(value));
  }

  const std::string file_;
  Properties properties_;
  const Variables& variables_;
  const bool presets_;
  TorchServeTranslation out_;
};

/// The values that count: of the environment, of the file, or the original's.
Status Translator::resolve() {
  std::vector<std::string_view> names;
  for (const TorchServeKey& key : torchserve_keys()) names.push_back(key.name);
  MM_ASSIGN_OR_RETURN(properties_, resolve_properties(std::move(properties_), names, variables_));
  for (const TorchServeKey& key : torchserve_keys())
    if (presets_ && !key.preset.empty() && !properties_.contains(key.name))
      properties_[std::string(key.name)] = key.preset;
  return ok_status();
}

/// What is served at the start is read from the file itself, so that a change in it is seen.
Status Translator::put_startup() {
  MM_ASSIGN_OR_RETURN(const TorchserveStartup startup, torchserve_startup(properties_));
  const bool closed = is("enable_model_api", false);
  if (!startup.paths.empty()) {
    out_.arguments.push_back(file_);
    if (closed) add("--model-control-mode", "none");
  } else if (!startup.store.empty() || !startup.workflow_store.empty()) {
    if (!startup.store.empty()) out_.arguments.push_back(startup.store);
    // The file says where workflows are.
    if (startup.workflow_store != startup.store) out_.arguments.push_back(file_);
    add("--model-control-mode", "explicit");
    if (closed) add("--api", "management=off");
  } else if (closed) {
    add("--model-control-mode", "none");
  }
  return ok_status();
}

Status Translator::check() {
  std::string ignored;
  for (const auto& [key, value] : properties_) {
    const TorchServeKey* const known = find_torchserve_key(key);
    if (known == nullptr) {
      out_.warnings.push_back("key '" + key + "' is none of TorchServe's, and is passed over");
      continue;
    }
    if (known->guards)
      out_.warnings.push_back("key '" + key + "' keeps nothing from anyone here: " + std::string(known->what));
    else if (known->meaning == TorchServeKey::Meaning::kIgnored)
      ignored += (ignored.empty() ? "" : ", ") + key;
    const bool acts = known->meaning == TorchServeKey::Meaning::kMapped;
    if (acts && known->value == TorchServeKey::Value::kNumber && !digits_number(value))
      return wrong(key, value, "a whole number from 0 on");
  }
  if (!ignored.empty())
    out_.warnings.push_back("these keys say nothing here, docs/torchserve-config.md says why: " + ignored);
  return ok_status();
}

void Translator::put_options() {
  for (const TorchServeKey& key : torchserve_keys()) {
    const auto found = properties_.find(key.name);
    if (!key.option.empty() && found != properties_.end() && !found->second.empty()) add(key.option, found->second);
  }
  if (const auto size = properties_.find("max_request_size"); size != properties_.end()) {
    constexpr int64_t kMostMessage = 2147483647;
    add("--max-body-bytes", size->second);
    add("--max-message-bytes", std::to_string(std::min(*digits_number(size->second), kMostMessage)));
  }
}

/// Every address speaks every protocol here, so that one age holds for the connections of both services. Where they
/// have two, connections end as early as the one asks, and calls are cut as late as the other does.
void Translator::put_ages() {
  const auto seconds = [this](const char* service, const char* what) -> std::optional<int64_t> {
    const auto found = properties_.find("grpc_" + std::string(service) + what);
    if (found == properties_.end()) return std::nullopt;
    const int64_t ms = *digits_number(found->second);
    return std::max<int64_t>(1, ms / 1'000 + (ms % 1'000 > 0 ? 1 : 0));
  };
  const auto put = [&](const char* option, const char* what, bool smaller) {
    const auto inference = seconds("inference", what), management = seconds("management", what);
    if (!inference && !management) return;
    const int64_t one = inference ? *inference : *management, other = management.value_or(one);
    const int64_t chosen = smaller ? std::min(one, other) : std::max(one, other);
    constexpr int64_t kDay = 86'400;  // the options' most; 0: for ever
    add(option, std::to_string(chosen > kDay ? 0 : chosen));
  };
  put("--max-connection-age", "_max_connection_age_ms", true);
  put("--max-connection-age-grace", "_max_connection_age_grace_ms", false);
}

void Translator::put_sequence_keys() {
  for (const std::string_view what : {"id", "start", "end"})
    if (const auto name = properties_.find("ts_header_key_sequence_" + std::string(what)); name != properties_.end())
      add("--torchserve-sequence-key", std::string(what) + "=" + name->second);
}

void Translator::put_switches() {
  if (is("debug", true)) add("--log-level", "debug");
  if (is("enable_metrics_api", false)) add("--api", "metrics=off");
  if (!is("disable_token_authorization", false)) return;
  add("--torchserve-key-file", "key_file.json");
  if (const auto minutes = properties_.find("token_expiration_min"); minutes != properties_.end())
    add("--torchserve-key-minutes", minutes->second);
}

void Translator::put_urls() {
  const auto found = properties_.find("allowed_urls");
  if (found == properties_.end()) return;
  std::set<std::string> prefixes;
  for (const std::string& expression : comma_list(found->second)) {
    const auto of_one = url_prefixes(expression);
    if (!of_one)
      out_.warnings.push_back("the expression '" + expression +
                              "' of 'allowed_urls' allows nothing here; give --allow-model-url what URLs begin with");
    else
      prefixes.insert(of_one->begin(), of_one->end());
  }
  for (const std::string& prefix : prefixes) add("--allow-model-url", prefix);
}

}  // namespace

Result<TorchServeTranslation> translate_torchserve_config(const std::string& file, Properties properties,
                                                          const Variables& variables, bool presets) {
  return Translator(file, std::move(properties), variables, presets).run();
}

}  // namespace modelmill
