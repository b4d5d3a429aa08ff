#include <algorithm>
#include <cctype>

#include "cli/personality/flag_value.h"
#include "cli/personality/triton_draft.h"

namespace modelmill::personality {
namespace {

Status add_repository(TritonDraft& draft, const std::string& text) {
  std::vector<std::string>& paths = draft.launch.config.paths;
  if (std::find(paths.begin(), paths.end(), text) == paths.end()) paths.push_back(text);
  return ok_status();
}

Status set_control_mode(TritonDraft& draft, const std::string& text) {
  std::string mode = text;
  std::transform(mode.begin(), mode.end(), mode.begin(), [](unsigned char c) { return std::tolower(c); });
  ControlMode& into = draft.launch.config.control.mode;
  if (mode == "none")
    into = ControlMode::kNone;
  else if (mode == "poll")
    into = ControlMode::kPoll;
  else if (mode == "explicit")
    into = ControlMode::kExplicit;
  else
    return invalid_argument("invalid argument for --model-control-mode");
  return ok_status();
}

Status add_startup_model(TritonDraft& draft, const std::string& text) {
  std::vector<std::string>& models = draft.launch.config.control.load_models;
  if (std::find(models.begin(), models.end(), text) == models.end()) models.push_back(text);
  return ok_status();
}

Status set_config_name(TritonDraft& draft, const std::string& text) {
  if (text.empty()) return invalid_argument("Error: empty argument for --model-config-name");
  draft.launch.config.model_config_name = text;
  return ok_status();
}

Status set_server_id(TritonDraft& draft, const std::string& text) {
  draft.launch.config.server_name = text;
  return ok_status();
}

Status no_auto_complete(TritonDraft& draft, const std::string& /*text*/) {
  draft.auto_complete = false;
  return ok_status();
}

}  // namespace

std::vector<TritonFlag> triton_model_flags() {
  using enum FlagValue;
  using enum Taken;
  return {
      {{"help", kNone, kSame, "prints the usage on standard error and exits with 1, as there", ""}, nullptr},
      {{"id", kText, kSame, "the name in the server's metadata; `triton` without it", "triton"}, set_server_id},
      {{"exit-timeout-secs", kInteger, kMapped, "`--drain-timeout`", "30"}, set_integer<&TritonDraft::exit_timeout>},
      {{"model-store", kText, kSame, "the same as `--model-repository`", "models"}, add_repository},
      {{"model-repository", kText, kSame, "`PATH` of `modelmill serve`; may be repeated", "models"}, add_repository},
      {{"exit-on-error", kBool, kSame, "a model that can't be loaded at the start ends the server with exit code 1",
        "true"},
       set_bool<&TritonDraft::exit_on_error>},
      {{"disable-auto-complete-config", kNone, kSame, "a model whose configuration lacks something fails", ""},
       no_auto_complete},
      {{"strict-readiness", kBool, kSame, "false: ready as soon as the start is over, whatever became of models",
        "true"},
       set_bool<&TritonDraft::strict_readiness>},
      {{"model-control-mode", kText, kSame, "", "none"}, set_control_mode},
      {{"repository-poll-secs", kInteger, kSame, "with `--model-control-mode=poll`", "15"},
       set_integer<&TritonDraft::poll_seconds>},
      {{"load-model", kText, kSame, "with `--model-control-mode=explicit`; may be repeated; `*`: all", "identity"},
       add_startup_model},
      {{"model-config-name", kText, kSame, "", "h100"}, set_config_name},
      {{"model-load-thread-count", kInteger, kMapped, "`--load-threads`", "4"},
       set_integer<&TritonDraft::load_threads>},
      {{"model-load-retry-count", kInteger, kMapped, "`--load-retries`, at once after each failure", "0"},
       set_integer<&TritonDraft::load_retries>},
      {{"model-namespacing", kBool, kIgnored,
        "models have one namespace: of two repositories with a model of one name, one is told of and passed over",
        "false"},
       check_bool<TritonDraft>},
      {{"enable-peer-access", kBool, kIgnored, "tensors are not copied between GPUs", "true"}, check_bool<TritonDraft>},
  };
}

}  // namespace modelmill::personality
