#include "cli/personality/flag_value.h"
#include "cli/personality/torchserve_draft.h"

namespace modelmill::personality {
namespace {

using Draft = TorchServeDraft;

constexpr std::string_view kNoPlugins = "there are no plugins in Java";
constexpr std::string_view kSnapshots =
    "without it snapshots are written, and without `--ts-config` the last one is read";

template <auto Member>
Status switch_on(Draft& draft, const std::string& /*text*/) {
  draft.*Member = true;
  return ok_status();
}

Status add_model(Draft& draft, const std::string& text) {
  draft.models.push_back(text);
  return ok_status();
}

}  // namespace

const std::vector<TorchServeFlag>& torchserve_flags() {
  using enum FlagValue;
  using enum Taken;
  static const std::vector<TorchServeFlag> flags = {
      {{"help", kNone, kSame, "also `-h`", ""}, switch_on<&Draft::help>, 'h'},
      {{"version", kNone, kSame, "also `-v`; prints modelmill's version", ""}, switch_on<&Draft::version>, 'v'},
      {{"start", kNone, kSame, "which is done without it too", ""}, switch_on<&Draft::start>},
      {{"stop", kNone, kSame, "with `--foreground` it waits for the end", ""}, switch_on<&Draft::stop>},
      {{"ts-config", kText, kMapped, "by [the table of its keys](torchserve-config.md)", "config.properties"},
       set_text<&Draft::config>},
      {{"model-store", kText, kSame, "", "store"}, set_text<&Draft::model_store>},
      {{"workflow-store", kText, kSame, "", "store"}, set_text<&Draft::workflow_store>},
      {{"models", kText, kSame, "any number of words: `FILE`, `NAME=FILE`, a URL, or `all`", "net.mar"},
       add_model,
       0,
       true},
      {{"log-config", kText, kIgnored, "there is no Log4j; the log goes to standard error", "log4j2.xml"},
       set_text<&Draft::log_config>},
      {{"cpp-log-config", kText, kIgnored, "there are no C++ workers of TorchServe's", "log4j2.xml"},
       set_text<&Draft::cpp_log_config>},
      {{"foreground", kNone, kSame, "", ""}, switch_on<&Draft::foreground>},
      {{"no-config-snapshots", kNone, kMapped, kSnapshots, ""}, switch_on<&Draft::no_snapshots>},
      {{"ncs", kNone, kMapped, "`--no-config-snapshots`", ""}, switch_on<&Draft::no_snapshots>},
      {{"plugins-path", kText, kIgnored, kNoPlugins, "plugins"}, check_text<Draft>},
      {{"ppath", kText, kIgnored, kNoPlugins, "plugins"}, check_text<Draft>},
      {{"disable-token-auth", kNone, kMapped, "without it `--torchserve-key-file key_file.json`", ""},
       switch_on<&Draft::no_tokens>},
      {{"dt", kNone, kMapped, "`--disable-token-auth`", ""}, switch_on<&Draft::no_tokens>},
      {{"enable-model-api", kNone, kMapped, "without it `--model-control-mode none`", ""},
       switch_on<&Draft::model_api>},
  };
  return flags;
}

}  // namespace modelmill::personality
