#include "cli/control_options.h"

#include <CLI/Validators.hpp>
#include <charconv>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/size_text.h"

namespace modelmill {
namespace {

constexpr char kGroup[] = "Model control";

const Choices<ControlMode> kModes = {{"auto", ControlMode::kAuto},
                                     {"none", ControlMode::kNone},
                                     {"poll", ControlMode::kPoll},
                                     {"watch", ControlMode::kWatch},
                                     {"explicit", ControlMode::kExplicit}};

/// "20GiB", or "1=20GiB".
void read_budgets(const std::vector<std::string>& texts, DeviceBudgets& into) {
  constexpr char kOption[] = "--device-memory";
  into = {};
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const auto bytes = parse_bytes(std::string_view(text).substr(equals == std::string::npos ? 0 : equals + 1));
    if (!bytes.ok()) throw CLI::ValidationError(kOption, bytes.status().message());
    if (equals == std::string::npos) {
      if (std::exchange(into.each, *bytes)) throw CLI::ValidationError(kOption, "is given twice for all GPUs");
      continue;
    }
    int gpu = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + equals, gpu);
    if (error != std::errc() || end != text.data() + equals || gpu < 0)
      throw CLI::ValidationError(kOption, "'" + text + "' does not begin with a GPU's number, such as 0=20GiB");
    if (!into.of.emplace(gpu, *bytes).second)
      throw CLI::ValidationError(kOption, "is given twice for gpu " + std::to_string(gpu));
  }
}

/// Models that come from elsewhere.
void define_remote(CLI::App& app, OptionSet& options, ControlSettings& control) {
  options
      .takes_file(app.add_option(
          "--model-cache", control.remote.cache_directory,
          "Where models that are named by a URL, and unpacked archives, are kept [$XDG_CACHE_HOME/modelmill]"))
      ->type_name("FOLDER")
      ->group(kGroup);
  app.add_option("--model-cache-size", control.remote.cache_bytes,
                 "What it may hold, such as 50GiB; those not used for longest go [no bound]")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("BYTES")
      ->group(kGroup);
  app.add_option(
         "--allow-model-url", control.remote.allowed_prefixes,
         "URLs that begin so may be named by clients that load models, and by a modelmill.yaml that came from a URL or "
         "out of an archive; may be repeated")
      ->type_name("PREFIX")
      ->allow_extra_args(false)
      ->group(kGroup);
}

}  // namespace

void define_control_options(CLI::App& app, OptionSet& options, ControlSettings& control) {
  options
      .add_choice(
          app, "--model-control-mode", kModes, control.mode,
          "Who changes what is served: the files of plain models, else clients (auto); nobody (none); the files, "
          "looked at regularly (poll) or as they change (watch); clients alone (explicit) [auto]")
      ->group(kGroup);
  app.add_option("--load-model", control.load_models,
                 "Explicit: a model to load at the start, * for all; may be repeated")
      ->type_name("MODEL")
      ->allow_extra_args(false)
      ->group(kGroup);
  options.add_seconds(app, "--repository-poll-secs", control.poll_interval, "Poll: how often the files are looked at")
      ->group(kGroup);
  app.add_option("--load-retries", control.retries.count,
                 "How often a load that failed is tried again, unless files change or a client unloads the model [0]")
      ->type_name("COUNT")
      ->check(CLI::Range(int64_t{0}, int64_t{1'000'000'000}).description(""))
      ->group(kGroup);
  options
      .add_seconds(app, "--load-retry-secs", control.retries.interval,
                   "How long after a failure; meanwhile the version is told to be loading")
      ->group(kGroup);
  app.add_flag("--load-on-demand", control.on_demand, "Load each model when the first request for it comes")
      ->group(kGroup);
  app.add_option(
         "--model-memory", control.memory_budget,
         "Memory that models may take together, such as 8GiB: beyond it those not used for longest are put away "
         "until they are asked again")
      ->transform(CLI::AsSizeValue(false).description(""))
      ->type_name("BYTES")
      ->group(kGroup);
  app.add_option_function<std::vector<std::string>>(
         "--device-memory",
         [&control](const std::vector<std::string>& texts) { read_budgets(texts, control.device_budgets); },
         "The same of each GPU's memory, or of one with GPU=BYTES; 0: no bound; may be repeated [nine tenths of what a "
         "GPU has]")
      ->type_name("[GPU=]BYTES")
      ->allow_extra_args(false)
      ->group(kGroup);
  define_remote(app, options, control);
  app.add_flag("--allow-breaking-versions", control.allow_breaking,
               "Serve new versions also where their inputs or outputs break clients of the version before")
      ->group(kGroup);
}

}  // namespace modelmill
